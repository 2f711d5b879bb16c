"""A sheet: networks below each other, their maps side by side, each with its scale and its faithfulness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import FAULT, INK, MUTED, PAPER
from mien.errors import OptionError
from mien.explanation.colours import draw_scale, on_pixels, tinted
from mien.explanation.explain import Explanation
from mien.explanation.maps import NETWORK_TITLES, ExplanationMap
from mien.explanation.measured import measured_map
from mien.results import percent

_CELL_PX, _GAP_PX, _MAPS_PER_ROW = 176, 18, 10
_HEAD_PX, _FOOT_PX = 48, 74  # above and below a face of the sheet
_TITLE_PX = 54
_LEGEND = (
    "del, ins: area under the deletion curve (low is faithful) and the insertion curve (high is faithful). "
    "Centre prior: the same central map for every face. Red: how such maps compare with it on validation faces."
)


def draw_sheet(explanations: Sequence[Explanation], *, title: str = "") -> np.ndarray:
    """One block of rows for each face and network: the face, then its maps. RGB uint8 (H, W, 3)."""
    if not explanations:
        raise OptionError("there is no explanation to draw: no face was detected")
    across = max(1, max(_per_row(len(one.maps)) for one in explanations))
    row_px, step = _HEAD_PX + _CELL_PX + _FOOT_PX, _CELL_PX + _GAP_PX
    rows = [max(1, -(-len(one.maps) // across)) for one in explanations]
    several = len({one.index for one in explanations}) > 1
    with_curves = any(one.centre_prior for one in explanations)
    size = ((1 + across) * step + _GAP_PX, _TITLE_PX + sum(rows) * row_px + 28 * with_curves)
    image = Image.new("RGB", size, PAPER)
    canvas = ImageDraw.Draw(image)
    canvas.text((_GAP_PX, 14), title, fill=INK, font=ImageFont.load_default(22))
    y = _TITLE_PX
    for one, count in zip(explanations, rows, strict=True):
        canvas.line((_GAP_PX, y, image.width - _GAP_PX, y), fill="#C8C8C8")
        _face(image, canvas, one, (_GAP_PX, y), several)
        for i, each in enumerate(one.maps):
            corner = (_GAP_PX + (1 + i % across) * step, y + i // across * row_px)
            _panel(image, canvas, one, each, corner)
        y += count * row_px
    if with_curves:
        for line in _wrapped(canvas, _LEGEND, 12.0, size[0] - 2 * _GAP_PX)[:1]:
            canvas.text((_GAP_PX, y + 4), line, fill=MUTED, font=ImageFont.load_default(12.0))
    return np.asarray(image)


def _per_row(count: int) -> int:
    """Maps side by side, in rows of about equal length."""
    rows = -(-count // _MAPS_PER_ROW)
    return -(-count // max(rows, 1))


def _face(
    image: Image.Image, canvas: ImageDraw.ImageDraw, one: Explanation, corner: tuple[int, int], several: bool
) -> None:
    x, y = corner
    name = f"{one.weights}, face {one.index}" if several else one.weights
    _lines(canvas, (x, y + 7), [(name, INK, 16.0), (NETWORK_TITLES.get(one.network, one.network), MUTED, 12.0)])
    image.paste(_crop(one), (x, y + _HEAD_PX))
    lines = [(f"{one.label} {percent(one.probability)}", INK, 15.0)]
    if one.centre_prior is not None:
        areas = f"centre prior: del {one.centre_prior.deletion:.2f}, ins {one.centre_prior.insertion:.2f}"
        lines.append((areas, MUTED, 11.0))
    lines += [(line, MUTED, 11.0) for line in _wrapped(canvas, one.note, 11.0, _CELL_PX)]
    _lines(canvas, (x, y + _HEAD_PX + _CELL_PX + 4), lines)


def _panel(
    image: Image.Image, canvas: ImageDraw.ImageDraw, one: Explanation, each: ExplanationMap, corner: tuple[int, int]
) -> None:
    x, y = corner
    _lines(canvas, (x, y + 8), [(each.title, INK, 15.0), (each.part, MUTED, 12.0)])
    matrix = np.array([[1.0, 0, 0], [0, 1.0, 0]]) * len(one.crop) / _CELL_PX
    share, _ = on_pixels(each, matrix, (_CELL_PX, _CELL_PX), len(one.crop))
    image.paste(Image.fromarray(tinted(np.asarray(_crop(one)), share, each.kind)), (x, y + _HEAD_PX))
    below = y + _HEAD_PX + _CELL_PX + 4
    below += draw_scale(canvas, image, each, (x, below), _CELL_PX, 11.0)
    lines = []
    if each.faithfulness is not None:
        lines.append((f"del {each.faithfulness.deletion:.2f}   ins {each.faithfulness.insertion:.2f}", INK, 12.0))
    measured = measured_map(one.identity, each.key)
    if measured is not None and not measured.is_better:
        lines.append((measured.verdict.replace("better than the centre prior by", "better by"), FAULT, 10.5))
    _lines(canvas, (x, below + 2), lines)


def _crop(one: Explanation) -> Image.Image:
    return Image.fromarray(one.crop).resize((_CELL_PX, _CELL_PX), Image.Resampling.BICUBIC)


def _lines(canvas: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[tuple[str, str, float]]) -> None:
    x, y = corner
    for text, colour, size in lines:
        canvas.text((x, y), text, fill=colour, font=ImageFont.load_default(size))
        y += round(1.25 * size)


def _wrapped(canvas: ImageDraw.ImageDraw, text: str, size: float, width: int) -> list[str]:
    font, lines = ImageFont.load_default(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if canvas.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
