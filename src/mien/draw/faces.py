"""An image with its faces marked: box, expression, and how the classes compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import UNCERTAIN, colour_of, ink_on
from mien.geometry import Box
from mien.results import Face, percent

_BARS_FROM_PX = 110  # narrower faces get no bars
_BARS = 3


def mark_faces(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 RGB with every face marked; largest faces are drawn last.

    An uncertain prediction has a dashed box, a grey label and a question mark.
    """
    pil = Image.fromarray(image)
    draw = ImageDraw.Draw(pil, "RGBA")
    for face in reversed(faces):
        _mark(draw, face, pil.size)
    return np.asarray(pil)


def _mark(draw: ImageDraw.ImageDraw, face: Face, size: tuple[int, int]) -> None:
    box = face.box
    colour = colour_of(face.expression.top, face.expression.labels) if face.expression else "#FFFFFF"
    line = max(2, round(box.width / 60))
    if face.expression is None:
        _outline(draw, box, colour, line)
        return
    uncertain = face.certain is False
    _outline(draw, box, colour, line, dashed=uncertain)
    colour = UNCERTAIN if uncertain else colour
    font = ImageFont.load_default(size=max(11, min(36, box.width / 8)))
    text = f"{face.expression.top}{'?' if uncertain else ''} {percent(face.expression.confidence)}"
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    high, wide = bottom - top + 6, right - left + 8
    x = min(max(box.left, 0), max(size[0] - wide, 0))
    y = box.top - high if box.top >= high else min(box.bottom, size[1] - high)
    draw.rectangle((x, y, x + wide, y + high), fill=colour)
    draw.text((x + 4 - left, y + 3 - top), text, fill=ink_on(colour), font=font)
    if box.width >= _BARS_FROM_PX:
        _bars(draw, face, x, box.bottom, size)


def _outline(draw: ImageDraw.ImageDraw, box: Box, colour: str, line: int, *, dashed: bool = False) -> None:
    """The box; dashed: with dark gaps, so that it is seen on any ground."""
    corners = (box.left, box.top, box.right - 1, box.bottom - 1)
    draw.rectangle(corners, outline="#303030" if dashed else colour, width=line)
    if not dashed:
        return
    left, top, right, bottom = corners
    dash = max(5 * line, min(box.width, box.height) / 12)
    for x in np.arange(left, right, 2 * dash):
        end = min(x + dash, right)
        draw.rectangle((x, top, end, top + line - 1), fill=colour)
        draw.rectangle((x, bottom - line + 1, end, bottom), fill=colour)
    for y in np.arange(top, bottom, 2 * dash):
        end = min(y + dash, bottom)
        draw.rectangle((left, y, left + line - 1, end), fill=colour)
        draw.rectangle((right - line + 1, y, right, end), fill=colour)


def _bars(draw: ImageDraw.ImageDraw, face: Face, x: float, y: float, size: tuple[int, int]) -> None:
    """The most probable classes as bars, below the face or, at the image's edge, inside its lower end."""
    if face.expression is None:
        return
    row = max(13, min(24, face.box.width / 12))
    font = ImageFont.load_default(size=row * 0.75)
    wide = face.box.width
    y = min(y + 2, size[1] - _BARS * row - 2)
    draw.rectangle((x, y, x + wide, y + _BARS * row), fill=(0, 0, 0, 150))
    for i, (label, value) in enumerate(face.expression.ranked()[:_BARS]):
        top = y + i * row
        draw.rectangle(
            (x, top + 2, x + max(1, wide * value), top + row - 2),
            fill=colour_of(label, face.expression.labels) + "C0",
        )
        draw.text((x + 4, top + row / 2), f"{label} {percent(value)}", fill="white", font=font, anchor="lm",
                  stroke_width=1, stroke_fill="black")  # fmt: skip
