"""Whether a map shows what the network goes by: deletion and insertion curves.

V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.explanation.occlusion import GRID, Probability, hidden, mixed

STEPS = 12


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the curves of the probability, 0..1, as more and more cells are changed in a map's order."""

    deletion: float  # cells are hidden, the highest of the map first: low is faithful
    insertion: float  # cells of a hidden face are shown, the highest first: high is faithful


def faithfulness(probability: Probability, face: np.ndarray, cells: np.ndarray) -> Faithfulness:
    """Of a map (GRID, GRID) of an aligned face (S, S, 3) uint8 RGB."""
    blurred = hidden(face)
    rank = np.empty(cells.size, dtype=int)
    rank[np.argsort(-cells.ravel(), kind="stable")] = np.arange(cells.size)
    counts = np.linspace(0, cells.size, STEPS + 1).round().astype(int)
    masks = [(rank < count).reshape(cells.shape) for count in counts]
    deleted = probability(np.stack([mixed(face, blurred, mask) for mask in masks]))
    inserted = probability(np.stack([mixed(blurred, face, mask) for mask in masks]))
    return Faithfulness(_area(deleted), _area(inserted))


def centre_prior() -> np.ndarray:
    """A map (GRID, GRID) that knows no face: the nearer to the middle, the higher."""
    offset = (np.arange(GRID) + 0.5) / GRID - 0.5
    return -(offset[:, None] ** 2 + offset[None] ** 2)


def _area(curve: np.ndarray) -> float:
    return float((curve[1:] + curve[:-1]).mean() / 2)
