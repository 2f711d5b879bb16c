"""Rows that must stay together, and how such units are dealt out evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.datasets.audit.duplicates import connected_components


def connected_groups(count: int, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Units of `count` rows: rows with one value in any of the columns are of one unit, through others as well.

    Columns (N,) of names, where "" links nothing, or of numbers, where -1 links nothing. Returns (N,) int from 0,
    in the order of the first row of each unit.
    """
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for column in columns:
        rows = np.flatnonzero(column != ("" if column.dtype.kind in "OU" else -1))
        values = column[rows].astype(str) if column.dtype.kind in "OU" else column[rows]
        _, first, value = np.unique(values, return_index=True, return_inverse=True)
        pairs.append(np.stack([rows[first[value]], rows], axis=1))
    groups = connected_components(np.concatenate(pairs), count)
    alone = groups < 0
    groups[alone] = count + np.flatnonzero(alone)
    _, first, unit = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[unit]


def stratified_group_split(
    unit: np.ndarray, label: np.ndarray, shares: Sequence[float], *, seed: int
) -> np.ndarray:
    """Deal whole units to parts of the given shares, each class in proportion -> part (N,) int of each row.

    `unit` and `label` (N,) int; label -1 counts as a class of its own. Units go from the largest to the smallest,
    equal ones in an order drawn from the seed, each to the part where it disturbs least: the sum over classes, and
    over all rows as one class more, of (share of the class in the part - share of the part)^2 / share of the part.
    No part stays empty where there are as many units as parts.
    """
    _, unit = np.unique(unit, return_inverse=True)
    classes, label = np.unique(label, return_inverse=True)
    units = int(unit.max(initial=-1)) + 1
    counts = np.zeros((units, len(classes) + 1))  # the last column: all rows
    np.add.at(counts, (unit, label), 1)
    counts[:, -1] = counts.sum(axis=1)
    weight = counts / np.maximum(counts.sum(axis=0), 1)  # share of each class that a unit holds
    order = np.lexsort((np.random.default_rng(seed).permutation(units), -counts[:, -1]))
    share = np.asarray(shares, dtype=float) / np.sum(shares)
    held = np.zeros((len(share), counts.shape[1]))
    part = np.zeros(units, dtype=np.int64)
    for one in order.tolist():
        cost = ((2 * held + weight[one]) @ weight[one]) / share
        part[one] = int(cost.argmin())
        held[part[one]] += weight[one]
    _fill_empty(part, counts[:, -1], share)
    return part[unit]


def _fill_empty(part: np.ndarray, size: np.ndarray, share: np.ndarray) -> None:
    """Give every part without a unit the one whose size suits it best, from parts that have two or more."""
    for empty in range(len(share)):
        if (part == empty).any():
            continue
        spare = np.flatnonzero(np.bincount(part, minlength=len(share))[part] > 1)
        if len(spare):
            wanted = share[empty] * size.sum()
            part[spare[np.abs(size[spare] - wanted).argmin()]] = empty
