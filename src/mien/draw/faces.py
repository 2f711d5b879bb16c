"""`mien.annotate`: faces marked on their image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from mien.arguments import checked
from mien.draw.anonymize import METHODS
from mien.draw.anonymize import anonymize as cover
from mien.draw.layout import layout_labels
from mien.draw.marks import MOST_WITH_BARS, draw_axes, draw_box, draw_label, draw_landmarks, labels_of, line_px
from mien.errors import OptionError, UnknownNameError
from mien.media.images import ImageSource, to_rgb
from mien.media.pixels import pixels_of
from mien.results import Face

PARTS = ("boxes", "labels", "bars", "landmarks", "axes")
DRAWN = ("boxes", "labels", "bars")


@checked
def annotate(
    source: ImageSource,
    faces: Sequence[Face],
    *,
    draw: Sequence[str] = DRAWN,
    anonymize: str | None = None,
) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 RGB with its faces marked.

    `source`: the image that was predicted, as for `mien.predict`.
    `draw`: any of "boxes", "labels", "bars" (the next classes), "landmarks" and "axes" (of the head).
    `anonymize`: "pixelate" or "blur" makes the faces unrecognisable for good; undetected faces stay.

    Text grows with image and face. An uncertain prediction has a dashed box, a grey label with a question mark and
    the reason. No label lies over another face or label; where there is no room it gets shorter, or is left out.
    """
    check_drawing(draw, anonymize)
    image = to_rgb(source)
    if anonymize is not None:
        image = cover(image, [face.box for face in faces], anonymize)
    pil = Image.fromarray(image)
    del image  # large ones take hundreds of megabytes
    canvas = ImageDraw.Draw(pil, "RGBA")
    largest_last = sorted(faces, key=lambda face: face.box.area)
    for face in largest_last:
        line = line_px(face.box, pil.size)
        if "boxes" in draw:
            draw_box(canvas, face, line)
        if "landmarks" in draw:
            draw_landmarks(canvas, face)
        if "axes" in draw:
            draw_axes(canvas, face, line)
    if "labels" in draw or "bars" in draw:
        bars = "bars" in draw and len(faces) <= MOST_WITH_BARS
        _draw_labels(canvas, largest_last[::-1], pil.size, bars=bars)
    return pixels_of(pil)


def check_drawing(draw: Sequence[str], anonymize: str | None) -> None:
    """Raises `OptionError` for what cannot be drawn, and for a method that is none."""
    if isinstance(draw, str):
        raise OptionError(f"draw is {draw!r}; give a list: {list(DRAWN)}")
    for part in draw:
        if part not in PARTS:
            raise UnknownNameError("part to draw", str(part), PARTS)
    if anonymize is not None and anonymize not in METHODS:
        raise UnknownNameError("method of anonymising", str(anonymize), METHODS)


def _draw_labels(canvas: ImageDraw.ImageDraw, faces: Sequence[Face], size: tuple[int, int], *, bars: bool) -> None:
    labels = [labels_of(face, size, bars=bars) for face in faces]
    forms = [[label.form for label in of_face] for of_face in labels]
    gap = max((line_px(face.box, size) for face in faces), default=1)
    placements = layout_labels([face.box for face in faces], forms, size, plain=2, gap=gap)
    for of_face, placement in zip(labels, placements, strict=True):
        if placement is not None:
            draw_label(canvas, of_face[placement.form], placement.box)
