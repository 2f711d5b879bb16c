"""Near-duplicates: images that are copies of one photo, scaled, recompressed or cut a little differently.

Candidates are found by a perceptual hash: the signs of the 63 lowest frequencies of the cosine transform of a
32 x 32 grey copy, against their median (the pHash of C. Zauner, "Implementation and Benchmarking of Perceptual
Image Hash Functions", 2010, with 8 x 8 coefficients and without the mean). Hashes alone take different faces
before a dark wall for one another, and so does the correlation of the grey copies. A candidate counts only where
the *detail* of both copies, what is left after a 7 x 7 mean is taken away, correlates by at least 0.8. Black or
white surroundings (a face cut out along its hull, bars of a film) are no detail: the correlation is of what both
copies show inside of them.

Both limits were chosen by looking at pairs. Of FER+, 70 pairs drawn from the weakest above 0.8 all show one photo;
the 41 of muxspace all show one person, nearly all one photo; below 0.7 muxspace begins to pair different people.
Flipped copies are not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.datasets.audit.scan import GREY_PX, Scan, scan
from mien.datasets.samples import Samples

DISTANCE = 10  # bits in which two hashes may differ
SIMILARITY = 0.8  # least correlation of the detail
FLAT_BELOW = 5.0  # standard deviation in grey levels; flatter images all look alike and are not compared
_MEAN_PX = 7
_BLACK, _WHITE = 8, 247  # grey levels of surroundings, at most and at least
_RIM_PX = 2  # their blurred edge
_COMMON = 0.2  # least share of the image that both copies must show
_HASHED_AS_IT_IS = 0.6  # least share that is shown of an image whose surroundings are hashed too
_BLOCK, _WIDE = 1024, 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Duplicates:
    """Pairs of rows that show one photo, and the groups they form."""

    pairs: np.ndarray  # (P, 2) int: rows, the smaller first, in ascending order
    similarity: np.ndarray  # (P,): correlation of the detail, `SIMILARITY` to 1
    groups: np.ndarray  # (N,) int: rows that pairs connect have one number; -1: in no pair

    def across(self, column: np.ndarray) -> np.ndarray:
        """Mask (P,) of the pairs whose rows differ in a column (N,), the split for instance."""
        return column[self.pairs[:, 0]] != column[self.pairs[:, 1]]


def near_duplicates(scanned: Scan, *, apart: np.ndarray | None = None) -> Duplicates:
    """All pairs of rows with hashes at most `DISTANCE` apart and detail at least `SIMILARITY` alike.

    `apart` (N,) str: rows of one value are not compared with each other (frames of one video: `Samples.group`);
    "" stands for no value.
    """
    shown = ~_surroundings(scanned.grey)
    grey = _without_surroundings(scanned.grey, shown)
    comparable = np.flatnonzero(scanned.readable & (grey.std(axis=(1, 2)) >= FLAT_BELOW))
    pairs = _candidates(scanned.grey, grey, shown, comparable)
    if apart is not None:
        left, right = apart[pairs[:, 0]], apart[pairs[:, 1]]
        pairs = pairs[(left != right) | (left == "")]
    alike = _detail_correlation(grey, shown, pairs)
    sure = alike >= SIMILARITY
    pairs = pairs[sure]
    return Duplicates(pairs=pairs, similarity=alike[sure], groups=connected_components(pairs, len(grey)))


def repeats_another_split(samples: Samples, *, workers: int = 1) -> np.ndarray:
    """Mask (N,) of the rows with a near-duplicate in another split. Decodes every image; `workers` as `scan`."""
    duplicates = near_duplicates(scan(samples, workers=workers), apart=samples.group)
    crossing = np.zeros(len(samples), dtype=bool)
    crossing[duplicates.pairs[duplicates.across(samples.split)]] = True
    return crossing


def perceptual_hash(grey: np.ndarray) -> np.ndarray:
    """Grey images (N, 32, 32) -> bits (N, 63), bool."""
    index = np.arange(GREY_PX)
    waves = np.cos(np.pi * (2 * index + 1) * index[:8, None] / (2 * GREY_PX)).astype(np.float32)  # (8, 32)
    low = (waves @ grey.astype(np.float32) @ waves.T).reshape(len(grey), 64)[:, 1:]  # (N, 63): without the mean
    return low > np.median(low, axis=1, keepdims=True)


def near_pairs(bits: np.ndarray, *, distance: int = DISTANCE) -> np.ndarray:
    """Every pair of hashes (N, bits) that differ in at most `distance` bits -> (P, 2), the smaller row first.

    Exact: bits as -1 and 1 have the product bits - 2 * distance, and products of blocks are one multiplication.
    """
    signs = np.where(bits, np.float32(1), np.float32(-1))
    least = bits.shape[1] - 2 * distance
    blocks = [np.empty((0, 2), dtype=np.int64)]
    for top in range(0, len(bits), _BLOCK):
        for left in range(top, len(bits), _WIDE):
            product = signs[top : top + _BLOCK] @ signs[left : left + _WIDE].T  # (block, wide)
            near = np.argwhere(product >= least) + np.array([top, left])
            blocks.append(near[near[:, 0] < near[:, 1]])
    pairs = np.concatenate(blocks)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def connected_components(pairs: np.ndarray, count: int) -> np.ndarray:
    """Connected components of `count` rows under pairs (P, 2) -> (count,): numbers from 0; -1: in no pair."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for left, right in pairs.tolist():
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    groups = np.full(count, -1, dtype=np.int64)
    members = np.unique(pairs)
    _, groups[members] = np.unique([root(row) for row in members.tolist()], return_inverse=True)
    return groups


def _candidates(grey: np.ndarray, filled: np.ndarray, shown: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs (P, 2) of `rows` with near hashes, with the surroundings levelled or as they are.

    A copy cut a little differently has other surroundings, so that levelling alone moves its hash. Images that are
    mostly surroundings are compared levelled only: as they are, all of them look alike.
    """
    levelled = rows[near_pairs(perceptual_hash(filled[rows]))]
    mostly = rows[shown[rows].mean(axis=(1, 2)) >= _HASHED_AS_IT_IS]
    as_they_are = mostly[near_pairs(perceptual_hash(grey[mostly]))]
    return np.unique(np.concatenate([levelled, as_they_are]), axis=0)


def _detail_correlation(grey: np.ndarray, shown: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Correlation (P,) of both images' detail where both show something; 0 where that is too little."""
    mean = _neighbourhood(_MEAN_PX // 2)
    alike = [np.empty(0, dtype=np.float32)]
    for start in range(0, len(pairs), _BLOCK):
        rows = pairs[start : start + _BLOCK]
        weight = shown[rows].all(axis=1, keepdims=True).astype(np.float32)  # (block, 1, 32, 32)
        both = grey[rows] * weight  # (block, 2, 32, 32)
        near = np.maximum(mean @ weight @ mean.T, 1e-6)  # share of each neighbourhood that is shown
        detail = both - mean @ both @ mean.T / near * weight
        area = weight.sum(axis=(2, 3), keepdims=True)
        detail -= detail.sum(axis=(2, 3), keepdims=True) / np.maximum(area, 1) * weight
        detail = detail.reshape(len(both), 2, -1)
        detail /= np.maximum(np.linalg.norm(detail, axis=2, keepdims=True), 1e-6)
        correlation = (detail[:, 0] * detail[:, 1]).sum(axis=1)
        alike.append(np.where(area.reshape(-1) >= _COMMON * GREY_PX**2, correlation, np.float32(0)))
    return np.concatenate(alike)


def _without_surroundings(grey: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Grey copies (N, 32, 32), float, whose surroundings have the mean level of what is shown."""
    filled = grey.astype(np.float32)
    if shown.all():
        return filled
    level = (filled * shown).sum(axis=(1, 2)) / np.maximum(shown.sum(axis=(1, 2)), 1)
    return np.where(shown, filled, level[:, None, None]).astype(np.float32)


def _neighbourhood(reach_px: int) -> np.ndarray:
    """Matrix (32, 32) of a running mean, cut at the edges."""
    near = np.abs(np.arange(GREY_PX)[:, None] - np.arange(GREY_PX)) <= reach_px
    mean: np.ndarray = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
    return mean


def _surroundings(grey: np.ndarray) -> np.ndarray:
    """Mask (N, 32, 32) of black and of white regions that touch the border, and of a rim about them."""
    plain = (grey <= _BLACK) | (grey >= _WHITE)
    outside = plain.copy()
    outside[:, 1:-1, 1:-1] = False
    concerned = np.flatnonzero(outside.any(axis=(1, 2)))
    plain, reached = plain[concerned], outside[concerned]
    step = _neighbourhood(1)
    while True:
        grown = plain & (step @ reached.astype(np.float32) @ step.T > 0)
        if (grown == reached).all():
            break
        reached = grown
    rim = _neighbourhood(_RIM_PX)
    outside[concerned] = rim @ reached.astype(np.float32) @ rim.T > 0
    return outside
