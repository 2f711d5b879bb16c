"""A sheet: networks below each other, their maps side by side, each with its scale and its faithfulness."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import FAINT, INK, MUTED, PAPER
from mien.errors import OptionError
from mien.explanation.colours import draw_scale, on_pixels, tinted
from mien.explanation.explain import Explanation
from mien.explanation.maps import ExplanationMap
from mien.results import percent

_CELL_PX, _GAP_PX, _TEXT_PX, _COLUMNS = 176, 18, 13.0, 8
_HEAD_PX, _FOOT_PX = 40, 58  # above and below a face of the sheet


def sheet(explanations: Sequence[Explanation], *, title: str = "") -> np.ndarray:
    """One block of rows for each face and network: the face, then its maps. RGB uint8 (H, W, 3)."""
    if not explanations:
        raise OptionError("there is no explanation to draw: no face was detected")
    columns = min(_COLUMNS, 1 + max(len(one.maps) for one in explanations))
    step = _CELL_PX + _GAP_PX
    rows = [max(1, -(-len(one.maps) // (columns - 1))) for one in explanations]
    row_px = _HEAD_PX + _CELL_PX + _FOOT_PX
    head = 52 if title else _GAP_PX
    several = len({one.index for one in explanations}) > 1
    height = head + sum(count * row_px + _GAP_PX for count in rows)
    image = Image.new("RGB", (columns * step + _GAP_PX, height), PAPER)
    canvas = ImageDraw.Draw(image)
    if title:
        canvas.text((_GAP_PX, 16), title, fill=INK, font=ImageFont.load_default(22))
    y = head
    for one, count in zip(explanations, rows, strict=True):
        canvas.line((_GAP_PX, y, image.width - _GAP_PX, y), fill="#C8C8C8")
        _face(image, canvas, one, (_GAP_PX, y), several)
        for i, each in enumerate(one.maps):
            x = _GAP_PX + (1 + i % (columns - 1)) * step
            _panel(image, canvas, one, each, (x, y + i // (columns - 1) * row_px))
        y += count * row_px + _GAP_PX
    return np.asarray(image)


def _face(image: Image.Image, canvas: ImageDraw.ImageDraw, one: Explanation, corner: tuple[int, int], several: bool) -> None:
    x, y = corner
    name = f"{one.weights}" + (f", face {one.index}" if several else "")
    _lines(canvas, (x, y + 6), [(name, INK, 16.0), (one.network, MUTED, _TEXT_PX)])
    image.paste(_crop(one), (x, y + _HEAD_PX))
    lines = [(f"{one.label} {percent(one.probability)}", INK, 15.0)]
    lines += [(line, MUTED, 11.0) for line in _wrapped(canvas, one.note, 11.0)]
    _lines(canvas, (x, y + _HEAD_PX + _CELL_PX + 4), lines)


def _panel(
    image: Image.Image, canvas: ImageDraw.ImageDraw, one: Explanation, each: ExplanationMap, corner: tuple[int, int]
) -> None:
    x, y = corner
    _lines(canvas, (x, y + 6), [(each.title, INK, 14.0), (each.part, MUTED, _TEXT_PX)])
    face = np.asarray(_crop(one))
    matrix = np.array([[1.0, 0, 0], [0, 1.0, 0]]) * len(one.crop) / _CELL_PX
    share, _ = on_pixels(each, matrix, (_CELL_PX, _CELL_PX), len(one.crop))
    image.paste(Image.fromarray(tinted(face, share, each.kind)), (x, y + _HEAD_PX))
    below = y + _HEAD_PX + _CELL_PX + 4
    below += draw_scale(canvas, image, each, (x, below), _CELL_PX, 11.0)
    if each.faithfulness is not None:
        areas = f"del {each.faithfulness.deletion:.2f}   ins {each.faithfulness.insertion:.2f}"
        canvas.text((x, below + 2), areas, fill=INK, font=ImageFont.load_default(12.0))


def _crop(one: Explanation) -> Image.Image:
    return Image.fromarray(one.crop).resize((_CELL_PX, _CELL_PX), Image.Resampling.BICUBIC)


def _lines(canvas: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[tuple[str, str, float]]) -> None:
    x, y = corner
    for text, colour, size in lines:
        canvas.text((x, y), text, fill=colour, font=ImageFont.load_default(size))
        y += round(1.25 * size)


def _wrapped(canvas: ImageDraw.ImageDraw, text: str, size: float) -> list[str]:
    font, lines = ImageFont.load_default(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if canvas.textlength(longer, font=font) <= _CELL_PX or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
