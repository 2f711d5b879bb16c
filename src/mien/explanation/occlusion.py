"""Occlusion maps: how much the probability of a class falls when a patch of the face is hidden.

M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 2.1. The
network is only run, so that any will do, ONNX as well.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

GRID = 12  # cells along each side of the face
WINDOW = 3  # cells along each side of a patch
Probability = Callable[[np.ndarray], np.ndarray]
"""Faces (N, S, S, 3) uint8 RGB -> the probability (N,) of the class that is explained."""


def occlusion_map(probability: Probability, face: np.ndarray) -> np.ndarray:
    """Mean fall of the probability (GRID, GRID) over the patches that hide each cell; negative where it rises.

    `face`: an aligned face (S, S, 3) uint8 RGB. Patches show the face out of focus, as `hidden` makes it.
    """
    blurred = hidden(face)
    patches = [(row, column) for row in range(1 - WINDOW, GRID) for column in range(1 - WINDOW, GRID)]
    masks = np.zeros((len(patches), GRID, GRID), dtype=bool)
    for mask, (row, column) in zip(masks, patches, strict=True):
        mask[max(row, 0) : row + WINDOW, max(column, 0) : column + WINDOW] = True
    variants = np.stack([mixed(face, blurred, mask) for mask in masks])
    falls = probability(face[None])[0] - probability(variants)
    total = np.tensordot(falls, masks.astype(np.float64), axes=1)
    return total / masks.sum(axis=0)


def hidden(face: np.ndarray) -> np.ndarray:
    """The face (S, S, 3) so far out of focus that no feature of it is left."""
    return np.asarray(Image.fromarray(face).filter(ImageFilter.GaussianBlur(len(face) / 8)))


def mixed(face: np.ndarray, other: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """`other` where cells (GRID, GRID) are true, else the face."""
    rows = np.arange(len(face)) * len(cells) // len(face)
    return np.where(cells[np.ix_(rows, rows)][..., None], other, face)
