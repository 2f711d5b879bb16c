"""Maps in colour over a grey face, and the scale that says what the colours mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import BLUE, INK, ORANGE, VERMILION, YELLOW, rgb
from mien.explanation.maps import ExplanationMap, Kind

_STEPS = 256
_OPAQUE = 0.8  # the most that a colour hides of the face
_DROPPED = 0.22  # light that is left of a cell that no pooling kept


def tinted(image: np.ndarray, share: np.ndarray, kind: Kind, inside: np.ndarray | None = None) -> np.ndarray:
    """The image (H, W, 3) uint8 in grey under the colours of a map.

    `share` (H, W): values in shares of the map's highest limit, -1..1. `inside` (H, W) 0..1: where there is a map.
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
    stops = np.array([rgb(colour) for colour in (VERMILION, ORANGE, YELLOW)], dtype=np.float64)
    if kind == "signed":
        stops = np.array([rgb(ORANGE), rgb(VERMILION), rgb(VERMILION)], dtype=np.float64)
    at = strength * (len(stops) - 1)
    warm = np.stack([np.interp(at, range(len(stops)), stops[:, k]) for k in range(3)], axis=-1)
    cold = np.broadcast_to(np.array(rgb(BLUE), dtype=np.float64), warm.shape)
    return np.where((share < 0)[..., None], cold, warm), _OPAQUE * strength**0.8


def on_pixels(one: ExplanationMap, matrix: np.ndarray, size: tuple[int, int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """A map of a crop of `side` pixels at the pixels (H, W) of an image of `size` (width, height).

    `matrix` (2, 3): from image pixels into the crop. -> shares of the limit, and 1 inside of the crop, 0 outside.
    """
    grid, most = len(one.values), one.limits[1]
    values = (one.values / most).astype(np.float32)
    finer = 1 if one.kind == "kept" else 8
    if finer > 1:
        padded = Image.fromarray(np.pad(values, 1, mode="edge"))
        values = np.asarray(padded.resize(((grid + 2) * finer,) * 2, Image.Resampling.BICUBIC))[finer:-finer, finer:-finer]
    to_cells = matrix * (finer * grid / side)
    way = Image.Resampling.NEAREST if one.kind == "kept" else Image.Resampling.BILINEAR
    over = Image.fromarray(np.ascontiguousarray(values)).transform(size, Image.Transform.AFFINE, tuple(to_cells.ravel()), way)
    return np.clip(np.asarray(over), -1, 1), inside_of(matrix, size, side)


def inside_of(matrix: np.ndarray, size: tuple[int, int], side: int) -> np.ndarray:
    """1 at the pixels (H, W) that the matrix takes into a crop of `side` pixels, 0 elsewhere."""
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1])[:, None] + 0.5
    u, v = (matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] for k in (0, 1))
    return ((u >= 0) & (u < side) & (v >= 0) & (v < side)).astype(np.float64)


def colour_scale(one: ExplanationMap, width: int, height: int) -> np.ndarray:
    """The colours of a map from its lowest to its highest value (height, width, 3), over mid grey."""
    low, high = one.limits
    share = np.linspace(low, high, width)[None].repeat(height, axis=0) / high
    if one.kind == "kept":
        steps = int(high) + 1
        share = np.floor(np.linspace(0, steps - 1e-6, width))[None].repeat(height, axis=0) / max(steps - 1, 1)
    ground = np.full((height, width, 3), 170, dtype=np.uint8)
    return tinted(ground, share, one.kind)


def number(value: float) -> str:
    """A value of a scale in two digits that count."""
    if value == 0:
        return "0"
    text = f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def draw_scale(canvas: ImageDraw.ImageDraw, image: Image.Image, one: ExplanationMap, corner: tuple[int, int],
               width: int, text_px: float) -> int:  # fmt: skip
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
    canvas.text((x + width / 2, below), "0" if one.kind == "signed" else one.unit, fill=INK, font=font, anchor="ma")
    return round(thick + 1.5 * text_px)
