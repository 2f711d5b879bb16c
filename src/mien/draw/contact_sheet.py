"""A contact sheet: some images of every class, under its name and count."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.datasets import dataset_info
from mien.datasets.audit.scan import labelled_region
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.draw.palette import FAINT, FAULT, INK, MUTED, PAPER, colour_of
from mien.errors import InputError
from mien.wording import counted

_GAP_PX, _TITLE_PX = 4, 34
_UNLABELLED = "#777777"


@dataclass(frozen=True, kw_only=True, eq=False)
class Strip:
    """One class of a sheet."""

    title: str
    caption: str  # after the title, in grey
    colour: str
    images: Sequence[np.ndarray | None]  # RGB uint8; None where an image cannot be read


def dataset_strips(
    dataset: str | DatasetInfo,
    folder: str | os.PathLike[str],
    *,
    variant: str = "",
    split: str = "",
    per_class: int = 24,
    seed: int = 0,
) -> tuple[list[Strip], str]:
    """The strips of a data set in a folder (or .zip), or of one of its splits, and a title for its sheet."""
    info = dataset_info(dataset)
    samples = info.some_samples(folder, variant=variant)
    samples = samples.of(split) if split else samples
    return class_strips(
        samples, per_class=per_class, seed=seed
    ), f"{info.title}  ·  {counted(len(samples), 'image')}"


def class_strips(samples: Samples, *, per_class: int = 24, seed: int = 0) -> list[Strip]:
    """A strip for each class, images chosen by chance from the seed, in the order of the table.

    An image cannot be read: None in its place. Rows without a single label come last.
    """
    strips = []
    for index, name in enumerate([*samples.labels, None]):
        rows = np.flatnonzero(samples.label == (-1 if name is None else index))
        if name is None and not len(rows):
            continue
        chosen = np.sort(np.random.default_rng([seed, index]).permutation(rows)[:per_class])
        splits = {split: int((samples.split[rows] == split).sum()) for split in samples.splits}
        caption = "   ".join(f"{split} {count:,}" for split, count in splits.items()) or f"{len(rows):,}"
        colour = _UNLABELLED if name is None else colour_of(name, samples.labels)
        images = [_read(samples, row) for row in chosen.tolist()]
        strips.append(Strip(title=name or "no single label", caption=caption, colour=colour, images=images))
    return strips


def contact_sheet(strips: Sequence[Strip], *, title: str = "", cell_px: int = 96, columns: int = 12) -> np.ndarray:
    """Strips below each other, RGB uint8 (H, W, 3). Images keep their shape within square cells."""
    step = cell_px + _GAP_PX
    heights = [-(-len(strip.images) // columns) * step or _TITLE_PX for strip in strips]
    head = 52 if title else _GAP_PX
    size = (columns * step + _GAP_PX, head + sum(_TITLE_PX + height for height in heights) + _GAP_PX)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX + 2, 12), title, fill=INK, font=ImageFont.load_default(22))
    y = head
    for strip, height in zip(strips, heights, strict=True):
        _heading(draw, strip, y)
        y += _TITLE_PX
        for i, image in enumerate(strip.images):
            corner = (_GAP_PX + i % columns * step, y + i // columns * step)
            _cell(sheet, draw, image, corner, cell_px)
        if not strip.images:
            draw.text((_GAP_PX + 2, y + 4), "no image", fill=FAULT, font=ImageFont.load_default(15))
        y += height
    return np.asarray(sheet)


def _read(samples: Samples, row: int) -> np.ndarray | None:
    try:
        return labelled_region(samples, row)
    except InputError:
        return None


def _heading(draw: ImageDraw.ImageDraw, strip: Strip, y: int) -> None:
    name, small = ImageFont.load_default(18), ImageFont.load_default(15)
    draw.rectangle((_GAP_PX, y + 8, _GAP_PX + 7, y + _TITLE_PX - 6), fill=strip.colour)
    draw.text((_GAP_PX + 15, y + 7), strip.title, fill=INK, font=name)
    wide = draw.textlength(strip.title, font=name)
    draw.text((_GAP_PX + 15 + wide + 14, y + 10), strip.caption, fill=MUTED, font=small)


def _cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, image: np.ndarray | None, corner: tuple[int, int], side: int
) -> None:
    x, y = corner
    if image is None:
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=FAINT, outline=FAULT)
        draw.line((x, y, x + side - 1, y + side - 1), fill=FAULT)
        font = ImageFont.load_default(max(9, side / 7))
        middle = (x + side / 2, y + side / 2)
        left, top, right, bottom = draw.textbbox(middle, "unreadable", font=font, anchor="mm")
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=FAINT)
        draw.text(middle, "unreadable", fill=FAULT, font=font, anchor="mm")
        return
    draw.rectangle((x, y, x + side - 1, y + side - 1), fill=FAINT)
    height, width = image.shape[:2]
    scale = side / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    pil = Image.fromarray(image).resize(small, Image.Resampling.LANCZOS)
    sheet.paste(pil, (x + (side - small[0]) // 2, y + (side - small[1]) // 2))
