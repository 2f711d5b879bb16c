"""Maps over the faces of the image that was explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import INK, PAPER
from mien.errors import OptionError
from mien.explanation.colours import draw_scale, on_pixels, tinted
from mien.explanation.explain import Explanation
from mien.explanation.maps import NETWORK_TITLES, ExplanationMap
from mien.geometry import Box, invert, transform
from mien.media.images import ImageSource, to_rgb
from mien.results import percent

_AROUND = 1.15  # of a crop's side: what a face's own overlay shows
_NARROWEST_PX = 320
_OWN_PX = 480  # side of it
_WIDEST_SCALE_PX = 420


def overlay(source: ImageSource, explanations: Sequence[Explanation], *, method: str | None = None) -> np.ndarray:
    """The image in grey with a map over each face, and below it the scale: (H + strip, W, 3) uint8 RGB.

    An image that is narrower than 320 pixels is enlarged to that.
    `source`: the image that was explained. `explanations`: of its faces by one network. `method`: whose first map
    (over all scales) is drawn; None for the first. All faces have one colour scale.
    """
    image = to_rgb(source)
    if image.shape[1] < _NARROWEST_PX:
        image, explanations = _enlarged(image, explanations, _NARROWEST_PX / image.shape[1])
    if not explanations:
        raise OptionError("there is no explanation to draw: no face was detected")
    if len({one.identity for one in explanations}) > 1:
        raise OptionError("an overlay shows one network; for several draw a sheet")
    name = method or explanations[0].maps[0].method
    maps = [one[name] for one in explanations]
    common = _one_scale(maps)
    height, width = image.shape[:2]
    share, inside = np.zeros((height, width)), np.zeros((height, width))
    for one, each in zip(explanations[::-1], common[::-1], strict=True):  # the largest face on top
        values, covered = on_pixels(each, one.matrix, (width, height), len(one.crop))
        share, inside = np.where(covered > 0, values, share), np.maximum(inside, covered)
    pil = Image.fromarray(tinted(image, share, common[0].kind, inside))
    for one in explanations[::-1]:
        _frame(ImageDraw.Draw(pil, "RGBA"), one, pil.size)
    return _with_strip(
        pil, f"{one.weights}  ·  {NETWORK_TITLES.get(one.network, one.network)}  ·  {common[0].title}", common[0]
    )


def face_overlay(source: ImageSource, one: Explanation) -> np.ndarray:
    """The first map over one face alone, cut out of the image around it, at least 480 pixels wide."""
    image = to_rgb(source)
    side = len(one.crop)
    corners = transform(invert(one.matrix), np.array([[0, 0], [side, 0], [0, side], [side, side]], dtype=float))
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    box = Box(left, top, right, bottom).grown(_AROUND).clipped(image.shape[1], image.shape[0])
    x, y = int(box.left), int(box.top)
    part = image[y : max(int(box.bottom), y + 1), x : max(int(box.right), x + 1)]
    into = one.matrix.copy()  # from pixels of the part into the crop
    into[:, 2] += into[:, :2] @ (x, y)
    part, moved = _enlarged(part, [replace(one, matrix=into)], max(1.0, _OWN_PX / part.shape[1]))
    return overlay(part, moved)


def _enlarged(
    image: np.ndarray, explanations: Sequence[Explanation], scale: float
) -> tuple[np.ndarray, list[Explanation]]:
    """The image, and explanations whose matrices begin at its pixels."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    larger = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    to_small = np.diag([image.shape[1] / width, image.shape[0] / height, 1.0])
    return larger, [replace(one, matrix=one.matrix @ to_small) for one in explanations]


def _one_scale(maps: Sequence[ExplanationMap]) -> list[ExplanationMap]:
    low, high = min(one.limits[0] for one in maps), max(one.limits[1] for one in maps)
    return [replace(one, limits=(low, high)) for one in maps]


def _frame(canvas: ImageDraw.ImageDraw, one: Explanation, size: tuple[int, int]) -> None:
    """The outline of the crop, and the class with its probability."""
    side = len(one.crop)
    corners = transform(invert(one.matrix), np.array([[0, 0], [side, 0], [side, side], [0, side]], dtype=float))
    points = [(float(x), float(y)) for x, y in corners]
    line = max(1, round(max(size) / 500))
    canvas.line([*points, points[0]], fill=(255, 255, 255, 190), width=line)
    face_px = float(np.linalg.norm(corners[1] - corners[0]))
    text_px = min(max(9.0, face_px / 11, size[0] / 60), 60.0, max(9.0, size[0] / 24))
    font = ImageFont.load_default(text_px)
    text = f"{one.label} {percent(one.probability)}"
    wide, high = canvas.textlength(text, font=font) + 0.6 * text_px, 1.35 * text_px
    x = min(max(corners[:, 0].min(), 0), max(size[0] - wide, 0))
    y = corners[:, 1].min() - high
    y = y if y >= 0 else max(corners[:, 1].min(), 0)
    canvas.rectangle((x, y, x + wide, y + high), fill=(20, 20, 20, 210))
    canvas.text((x + 0.3 * text_px, y + high / 2), text, fill="white", font=font, anchor="lm")


def _with_strip(pil: Image.Image, title: str, one: ExplanationMap) -> np.ndarray:
    """The image above a caption and the colour scale."""
    width = pil.width
    text_px = float(np.clip(width / 50, 11, 40))
    natural = ImageDraw.Draw(pil).textlength(title, font=ImageFont.load_default(text_px))
    text_px = max(6.0, text_px * min(1.0, 0.95 * width / natural))
    gap = round(0.6 * text_px)
    strip = Image.new("RGB", (width, round(5.2 * text_px)), PAPER)
    canvas = ImageDraw.Draw(strip)
    canvas.text((gap, gap), title, fill=INK, font=ImageFont.load_default(text_px))
    wide = min(width - 2 * gap, round(max(_WIDEST_SCALE_PX, 22 * text_px)))
    draw_scale(canvas, strip, one, (gap, round(gap + 1.6 * text_px)), wide, 0.85 * text_px)
    return np.vstack([np.asarray(pil), np.asarray(strip)])
