"""Faces made unrecognisable for good: what replaces them is computed from a few mean colours alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from mien.errors import UnknownNameError
from mien.geometry import Box

METHODS = ("pixelate", "blur")
CELLS = 5  # along each side of a face
MARGIN = 1.4  # of the box, so that hair and ears are covered as well
_LEVELS = 16  # of each colour


def anonymize(image: np.ndarray, boxes: Iterable[Box], method: str = "pixelate") -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 whose faces are `CELLS` x `CELLS` mean colours in 16 levels.

    "pixelate" shows them as squares, "blur" runs them into each other. Both keep as little of a face, so that
    neither can be undone. Raises `UnknownNameError` for another method.
    """
    if method not in METHODS:
        raise UnknownNameError("method of anonymising", method, METHODS)
    result = image.copy()
    for box in boxes:
        _cover(image, result, box.grown(MARGIN), method)
    return result


def _cover(image: np.ndarray, result: np.ndarray, box: Box, method: str) -> None:
    height, width = image.shape[:2]
    left, top = max(int(box.left), 0), max(int(box.top), 0)
    right, bottom = min(int(np.ceil(box.right)), width), min(int(np.ceil(box.bottom)), height)
    if right <= left or bottom <= top:
        return
    face = Image.fromarray(image[top:bottom, left:right])
    cells = np.asarray(face.resize((CELLS, CELLS), Image.Resampling.BOX)).astype(np.float64)
    step = 255 / (_LEVELS - 1)
    few = Image.fromarray((np.round(cells / step) * step).round().astype(np.uint8))
    resampling = Image.Resampling.NEAREST if method == "pixelate" else Image.Resampling.BICUBIC
    result[top:bottom, left:right] = np.asarray(few.resize(face.size, resampling))
