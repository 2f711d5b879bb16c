"""Is a map faithful to the network? Deletion and insertion curves.

V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.explanation.occlusion import GRID, Probability, hidden, mixed

STEPS = 8


@dataclass(frozen=True)
class Faithfulness:
    """Areas under the curves of the probability, 0..1, as more and more cells are changed in a map's order."""

    deletion: float  # cells are hidden, the highest of the map first: low is faithful
    insertion: float  # cells of a hidden face are shown, the highest first: high is faithful
    deletion_curve: tuple[float, ...] = field(repr=False)  # probabilities, from no cell to all of them
    insertion_curve: tuple[float, ...] = field(repr=False)


def faithfulness(probability: Probability, face: np.ndarray, maps: Sequence[np.ndarray]) -> list[Faithfulness]:
    """Of each map (GRID, GRID) of an aligned face (S, S, 3) uint8 RGB, in steps of equally many cells.

    Cells of equal value come in an order drawn by chance, the same for every map.
    """
    blurred = hidden(face)
    between = [masks_of(cells, STEPS)[1:-1] for cells in maps]
    variants = [face, blurred]
    for masks in between:
        variants += [mixed(face, blurred, mask) for mask in masks]
        variants += [mixed(blurred, face, mask) for mask in masks]
    shown, nothing, *others = probability(np.stack(variants)).tolist()
    results = []
    for i in range(len(maps)):
        start, count = 2 * i * (STEPS - 1), STEPS - 1
        deleted = (shown, *others[start : start + count], nothing)
        inserted = (nothing, *others[start + count : start + 2 * count], shown)
        results.append(Faithfulness(_area(deleted), _area(inserted), deleted, inserted))
    return results


def masks_of(cells: np.ndarray, steps: int) -> list[np.ndarray]:
    """Boolean masks of no cell up to all of them, the highest of the map (G, G) first."""
    by_chance = np.random.default_rng(0).permutation(cells.size)
    rank = np.empty(cells.size, dtype=int)
    rank[np.lexsort((by_chance, -cells.ravel()))] = np.arange(cells.size)
    counts = np.linspace(0, cells.size, steps + 1).round().astype(int)
    return [(rank < count).reshape(cells.shape) for count in counts]


def centre_prior() -> np.ndarray:
    """A map (GRID, GRID), the same for every face: the nearer to the middle, the higher."""
    offset = (np.arange(GRID) + 0.5) / GRID - 0.5
    return -(offset[:, None] ** 2 + offset[None] ** 2)


def _area(curve: Sequence[float]) -> float:
    values = np.asarray(curve)
    return float((values[1:] + values[:-1]).mean() / 2)
