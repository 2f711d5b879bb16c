"""Maps in colour over a grey face, and the scale that says what the colours mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import BLUE, INK, MUTED, ORANGE, VERMILION, YELLOW, rgb
from mien.explanation.maps import ExplanationMap, Kind

_WARM, _STOPS = (YELLOW, ORANGE, VERMILION), (0.0, 0.45, 1.0)  # of values that are not negative
_OPAQUE = 0.75  # the most that a colour hides of the face
_GROUND = 190  # grey below the colours of a scale
_DROPPED = 0.22  # light that is left of a cell that no pooling kept


def tinted(image: np.ndarray, share: np.ndarray, kind: Kind, inside: np.ndarray | None = None) -> np.ndarray:
    """The image (H, W, 3) uint8 in grey under the colours of a map.

    `share` (H, W): as of `shares`, -1..1. `inside` (H, W) 0..1: where there is a map.
    """
    if kind == "kept":
        light = _DROPPED + (1 - _DROPPED) * np.clip(share, 0, 1)
        light = light if inside is None else 1 - inside * (1 - light)
        return (image * light[..., None]).round().astype(np.uint8)
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64)[..., None]
    grey = 24 + grey * (232 / 255)  # colour is seen on black and white too
    colour, alpha = coloured(share, kind)
    if inside is not None:
        alpha = alpha * inside
    return (grey * (1 - alpha[..., None]) + colour * alpha[..., None]).round().clip(0, 255).astype(np.uint8)


def coloured(share: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Colours (..., 3) 0..255 and how much they cover (...) 0..1, of values in shares of the limit."""
    strength = np.clip(np.abs(share), 0, 1)
    stops = np.array([rgb(colour) for colour in _WARM], dtype=np.float64)
    warm = np.stack([np.interp(strength, _STOPS, stops[:, k]) for k in range(3)], axis=-1)
    if kind == "signed":
        warm = np.where((share < 0)[..., None], np.array(rgb(BLUE), dtype=np.float64), rgb(VERMILION))
    return warm, _OPAQUE * strength


def shares(one: ExplanationMap, values: np.ndarray) -> np.ndarray:
    """Values of a map in shares of its colour scale: 0 no colour, 1 full colour; below 0: against."""
    low, high = one.limits
    if one.kind == "signed":
        return np.clip(values / high, -1, 1)
    return np.clip((values - low) / (high - low), 0, 1)


def on_pixels(
    one: ExplanationMap, matrix: np.ndarray, size: tuple[int, int], side: int
) -> tuple[np.ndarray, np.ndarray]:
    """A map of a crop of `side` pixels at the pixels (H, W) of an image of `size` (width, height).

    `matrix` (2, 3): from image pixels into the crop. -> `shares`, and 1 inside of the crop, else 0.
    """
    values, grid = one.values.astype(np.float32), len(one.values)
    finer, way = 1, Image.Resampling.NEAREST
    if one.kind != "kept":
        finer, way = 8, Image.Resampling.BILINEAR
        padded = Image.fromarray(np.pad(values, 1, mode="edge"))
        smooth = np.asarray(padded.resize(((grid + 2) * finer,) * 2, Image.Resampling.BICUBIC))
        values = np.pad(smooth[finer:-finer, finer:-finer], 1, mode="edge")
    else:
        values = np.pad(values, 1, mode="edge")
    to_cells = matrix * (finer * grid / side)
    to_cells[:, 2] += 1
    over = Image.fromarray(values).transform(size, Image.Transform.AFFINE, tuple(to_cells.ravel()), way)
    return shares(one, np.asarray(over)), inside_of(matrix, size, side)


def inside_of(matrix: np.ndarray, size: tuple[int, int], side: int) -> np.ndarray:
    """1 at the pixels (H, W) that the matrix takes into a crop of `side` pixels, 0 elsewhere."""
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1])[:, None] + 0.5
    u, v = (matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] for k in (0, 1))
    return ((u >= 0) & (u < side) & (v >= 0) & (v < side)).astype(np.float64)


def colour_scale(one: ExplanationMap, width: int, height: int) -> np.ndarray:
    """The colours of a map from its lowest to its highest value (height, width, 3), over mid grey."""
    low, high = one.limits
    values = np.linspace(low, high, width)
    if one.kind == "kept":
        values = np.floor(np.linspace(0, high + 1 - 1e-6, width))
    ground = np.full((height, width, 3), _GROUND, dtype=np.uint8)
    return tinted(ground, shares(one, values)[None].repeat(height, axis=0), one.kind)


def number(value: float) -> str:
    """A value of a scale in two digits that count."""
    if value == int(value) or abs(value) >= 10:
        return f"{value:.0f}"
    return f"{value:.2g}"


def draw_scale(
    canvas: ImageDraw.ImageDraw,
    image: Image.Image,
    one: ExplanationMap,
    corner: tuple[int, int],
    width: int,
    text_px: float,
) -> int:
    """Draw the scale with its numbers and unit below it; returns the height."""
    x, y = corner
    thick = max(6, round(text_px * 0.7))
    image.paste(Image.fromarray(colour_scale(one, width, thick)), (x, y))
    canvas.rectangle((x, y, x + width - 1, y + thick - 1), outline="#9A9A9A")
    font = ImageFont.load_default(text_px)
    below = y + thick + round(text_px * 0.25)
    low, high = one.limits
    canvas.text((x, below), number(low), fill=INK, font=font)
    canvas.text((x + width, below), number(high), fill=INK, font=font, anchor="ra")
    canvas.text((x + width / 2, below), one.unit, fill=MUTED, font=font, anchor="ma")
    return round(thick + 1.5 * text_px)
