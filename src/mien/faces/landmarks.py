"""68 landmarks by an ONNX network, in one pass or two.

The first pass sees the upright box of the detector, the second the face rotated upright by the landmarks of
the first: rolled and loosely boxed faces end in the same geometry as the others. A face that the first pass saw
nearly in that geometry has no second one: it would move the points by 2 % of the eye distance (`python -m
research.landmarks68.passes`), and it is worth 0.2 points of mean balanced accuracy (docs/models/default.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mien.geometry import Box, box_onto_square, invert, transform
from mien.nn.onnx_session import OnnxSession, open_session
from mien.preprocess import Preprocess, warp

BOX_GROWTH = 1.15  # the crop of the first pass in face boxes
# Boxes and points are rounded, so that the last bits of a sum, which depend on the processor, change no pixel of
# the crop after it. Steps in the side of the box, and in that of the crop:
BOX_STEPS = 512
POINT_STEPS = 4096
# How far the first crop may be from the upright one of its landmarks to make do with it.
CLOSE_ROLL_DEG = 15.0
CLOSE_SCALE = 1.22  # times larger or smaller
CLOSE_SHIFT = 0.1  # of the middle, in sides of the crop


class Landmarks68Onnx:
    """The default landmarker: the ONNX form of `mien.models.landmarks68`.

    `passes`: how often the points are sought at most; each costs one network run per face.
    """

    def __init__(self, model: Path | OnnxSession, inputs: Preprocess, *, passes: int = 2, threads: int = 0) -> None:
        self.inputs, self.passes = inputs, passes
        self._session = open_session(model, threads=threads) if isinstance(model, Path) else model

    def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 68, 2) in image pixels."""
        return locate(image, boxes, self._shares, size_px=self.inputs.size_px, passes=self.passes)

    def refine(self, images: Sequence[np.ndarray], points: np.ndarray) -> np.ndarray:
        """N images and the points (N, 68, 2) where about a face is in each -> (N, 68, 2): one more pass."""
        if not len(points):
            return points
        upright = Preprocess(size_px=self.inputs.size_px)
        matrices = [upright.matrix(face) for face in points]
        pairs = zip(images, matrices, strict=True)
        crops = np.stack([warp(image, matrix, upright.size_px) for image, matrix in pairs])
        in_crops = _rounded(self._shares(crops)) * upright.size_px
        return np.stack([transform(invert(matrix), face) for matrix, face in zip(matrices, in_crops, strict=True)])

    def _shares(self, crops: np.ndarray) -> np.ndarray:
        return self._session.run(None, {"faces": self.inputs.normalise(crops)})[0]


def locate(
    image: np.ndarray,
    boxes: Sequence[Box],
    shares: Callable[[np.ndarray], np.ndarray],
    *,
    size_px: int,
    passes: int,
) -> np.ndarray:
    """Points (N, 68, 2) in image pixels.

    `shares`: crops (N, S, S, 3) uint8 RGB -> points (N, 68, 2) as shares of the crop's side.
    """
    points = np.zeros((len(boxes), 68, 2))
    upright = Preprocess(size_px=size_px)
    matrices = [box_onto_square(_on_grid(box).squared().grown(BOX_GROWTH), size_px) for box in boxes]
    rows = list(range(len(boxes)))
    for _ in range(passes):
        if not rows:
            break
        crops = np.stack([warp(image, matrices[row], size_px) for row in rows])
        in_crops = _rounded(shares(crops)) * size_px  # (N, 68, 2)
        seen = matrices.copy()
        for row, face in zip(rows, in_crops, strict=True):
            points[row] = transform(invert(seen[row]), face)
            matrices[row] = upright.matrix(points[row])
        rows = [row for row in rows if not is_close(seen[row], matrices[row], size_px)]
    return points


def is_close(seen: np.ndarray, upright: np.ndarray, size_px: int) -> bool:
    """Whether a crop by the matrix `seen` (2, 3) shows a face nearly as that by `upright`, both of this size."""
    onto = upright @ np.vstack([invert(seen), [0, 0, 1]])  # (2, 3): from crop to crop
    scale = math.hypot(onto[0, 0], onto[1, 0])
    roll_deg = math.degrees(math.atan2(onto[1, 0], onto[0, 0]))
    middle = np.full(2, size_px / 2)
    shift = np.abs(transform(onto, middle[None])[0] - middle).max() / size_px
    close_in_size = 1 / CLOSE_SCALE <= scale <= CLOSE_SCALE
    return abs(roll_deg) <= CLOSE_ROLL_DEG and close_in_size and bool(shift <= CLOSE_SHIFT)


def _on_grid(box: Box) -> Box:
    """The box with corners at multiples of a power of two pixels, up to 1 / `BOX_STEPS` of its longer side."""
    step = 2.0 ** math.floor(math.log2(max(box.width, box.height, 1e-6) / BOX_STEPS))
    return Box(*(step * float(np.rint(side / step)) for side in (box.left, box.top, box.right, box.bottom)))


def _rounded(shares: np.ndarray) -> np.ndarray:
    return np.rint(shares.astype(np.float64) * POINT_STEPS) / POINT_STEPS
