"""Parts of an image in which small faces are searched, at one or more scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.geometry import Box

OVERLAP = 0.25  # of a tile's side; no larger face is looked for in tiles
LEVEL_STEP = 4  # between the scales of two tilings: of 10 to 160, 40 to 640, ... pixels are the faces of each
_SLACK_PX = 8  # by which cores overlap, as two tiles place one face a little differently


@dataclass(frozen=True)
class Tile:
    """A part of an image; `core` is the part of it whose faces are its own: cores cover the image."""

    box: Box
    core: Box


def tile_scales(width: int, height: int, side_px: int) -> list[float]:
    """The scales, finest first, at which an image is searched in tiles, beside its copy of `side_px`."""
    scales, scale = list[float](), 1.0
    while scale * max(width, height) > side_px:
        scales.append(scale)
        scale /= LEVEL_STEP
    return scales


def tiles(width: int, height: int, side_px: int, *, overlap_px: float | None = None) -> list[Tile]:
    """Parts of equal size, up to `side_px` a side, that cover an image.

    A face up to the overlap (None: a quarter of `side_px`) lies completely in the one that owns it.
    """
    overlap_px = side_px * OVERLAP if overlap_px is None else overlap_px
    columns, rows = (_spans(length, side_px, overlap_px) for length in (width, height))
    return [
        Tile(Box(left, top, right, bottom), Box(core_left, core_top, core_right, core_bottom))
        for top, bottom, core_top, core_bottom in rows
        for left, right, core_left, core_right in columns
    ]


def _spans(length: int, side_px: int, overlap_px: float) -> list[tuple[int, int, float, float]]:
    """Start and end of each tile along one side, then of its core."""
    if length <= side_px:
        return [(0, length, -np.inf, np.inf)]
    count = int(np.ceil((length - side_px) / (side_px - overlap_px))) + 1
    side_px = min(side_px, int(np.ceil((length + (count - 1) * overlap_px) / count)) + 2)
    starts = np.linspace(0, length - side_px, count).round().astype(int)
    middles = (starts[1:] + starts[:-1] + side_px) / 2  # of the overlaps
    lows = [-np.inf, *(middles - _SLACK_PX / 2)]
    highs = [*(middles + _SLACK_PX / 2), np.inf]
    return [
        (int(start), int(start) + side_px, float(low), float(high))
        for start, low, high in zip(starts, lows, highs, strict=True)
    ]


def inside(box: Box, centres: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie in the box: (N,) bool."""
    x, y = centres[:, 0], centres[:, 1]
    return (x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom)
