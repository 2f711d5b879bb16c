"""68 landmarks by an ONNX network, in two passes.

The first pass sees the upright box of the detector, the second the face turned upright by what
the first found: rolled and loosely boxed faces end in the same geometry as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mien.geometry import Box, box_onto_square, invert, transform
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess, warp

BOX_GROWTH = 1.15  # the crop of the first pass in face boxes


def crop_matrices(boxes: Sequence[Box], size_px: int) -> list[np.ndarray]:
    """Where the first pass looks: the box, square and a little larger."""
    return [box_onto_square(box.squared().grown(BOX_GROWTH), size_px) for box in boxes]


def locate_twice(
    picture: np.ndarray,
    matrices: Sequence[np.ndarray],
    shares: Callable[[np.ndarray], np.ndarray],
    size_px: int,
) -> np.ndarray:
    """Points (N, 68, 2) in picture pixels.

    `matrices`: picture onto first crop, (2, 3) each. `shares`: crops (N, S, S, 3) uint8 RGB to points
    (N, 68, 2) as shares of the side.
    """
    upright = Preprocess(size_px=size_px)
    points = np.zeros((0, 68, 2))
    for _ in range(2):
        if not len(matrices):
            return np.zeros((0, 68, 2))
        crops = np.stack([warp(picture, matrix, size_px) for matrix in matrices])
        found = shares(crops).astype(np.float64) * size_px
        points = np.stack(
            [transform(invert(matrix), place) for matrix, place in zip(matrices, found, strict=True)]
        )
        matrices = [upright.matrix(place) for place in points]
    return points
