"""How far a figure can be trusted: bootstrap intervals, and whether two models differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.errors import InputError, MissingPackageError
from mien.metrics.classification import answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The middle 95 % of what resampling gives."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one set of answers to another for the same images."""

    value: float  # the second minus the first
    low: float  # the middle 95 % of what resampling gives
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """McNemar's exact test of two models on the same images (McNemar, 1947)."""

    both: int  # images that both get right
    only_first: int
    only_second: int
    neither: int
    difference: float  # accuracy of the first minus that of the second
    p_value: float  # of so uneven a split if they were equally good


def intervals(
    truth: np.ndarray,
    probabilities: np.ndarray,
    *,
    units: np.ndarray | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % percentile intervals of accuracy, balanced accuracy, macro-F1 and each class's recall.

    `units` (N,): images of the same value (a person, a video) are drawn together, "" stands alone;
    None: every image alone. Keys: "accuracy", "balanced_accuracy", "macro_f1", "recall.<index>".
    """
    classes = probabilities.shape[1]
    answer = answers(probabilities)
    cell = truth * (classes + 1) + np.where(answer < 0, classes, answer)
    tables = _drawn(cell, classes * (classes + 1), units, draws=draws, seed=seed)
    tables = tables.reshape(draws, classes, classes + 1)
    return {name: _interval(values) for name, values in _figures_of(tables).items()}


def change(
    truth: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    units: np.ndarray | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Change]:
    """How accuracy and balanced accuracy change from the first answers (N, K) to the second, with 95 % intervals.

    The bootstrap is paired: both answers for an image are drawn together. `units` as `intervals`. Keys:
    "accuracy", "balanced_accuracy". Raises `InputError` where the lengths differ.
    """
    if not len(truth) == len(first) == len(second):
        raise InputError(f"{len(truth)} labels, {len(first)} and {len(second)} answers cannot be compared")
    classes = first.shape[1]
    cell = truth * 4 + (answers(first) == truth) * 2 + (answers(second) == truth)
    seen = np.bincount(cell, minlength=classes * 4).reshape(1, classes, 2, 2).astype(np.float64)
    drawn = _drawn(cell, classes * 4, units, draws=draws, seed=seed).reshape(draws, classes, 2, 2)
    values, resampled = _changes_of(seen), _changes_of(drawn)
    bounds = {name: _interval(found) for name, found in resampled.items()}
    return {
        name: Change(value=float(found[0]), low=bounds[name].low, high=bounds[name].high)
        for name, found in values.items()
    }


def _drawn(cell: np.ndarray, cells: int, units: np.ndarray | None, *, draws: int, seed: int) -> np.ndarray:
    """Counts (D, `cells`) of resampled images that stand in one cell (N,) each; `units` as `intervals`."""
    rng = np.random.default_rng(seed)
    if units is None:
        share = np.bincount(cell, minlength=cells) / len(cell)
        return rng.multinomial(len(cell), share, size=draws).astype(np.float64)
    alone = np.array([f"\0{i}" if unit == "" else str(unit) for i, unit in enumerate(units)])
    _, unit = np.unique(alone, return_inverse=True)
    count = int(unit.max()) + 1
    counts = np.zeros((count, cells))
    np.add.at(counts, (unit, cell), 1)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    found: np.ndarray = weights @ counts
    return found


def mcnemar(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> Comparison:
    """Two models' probabilities (N, K) for the same images, compared by which they get right."""
    if not len(truth) == len(first) == len(second):
        raise InputError(f"{len(truth)} labels, {len(first)} and {len(second)} answers cannot be compared")
    try:
        from scipy.stats import binomtest
    except ModuleNotFoundError as error:
        raise MissingPackageError("Comparing two models", "scipy", "evaluate") from error
    one, two = answers(first) == truth, answers(second) == truth
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    uneven = only_first + only_second
    return Comparison(
        both=int((one & two).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~one & ~two).sum()),
        difference=(only_first - only_second) / len(truth),
        p_value=float(binomtest(only_first, uneven).pvalue) if uneven else 1.0,
    )


def _figures_of(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Confusion tables (D, K, K + 1) -> each figure (D,); NaN for a class that a draw lacks."""
    hits = np.diagonal(tables, axis1=1, axis2=2)  # (D, K)
    shown, called = tables.sum(axis=2), tables[:, :, :-1].sum(axis=1)  # (D, K)
    with np.errstate(invalid="ignore"):
        recall = hits / shown
        f1 = np.where(shown > 0, 2 * hits / np.maximum(shown + called, 1), np.nan)
    return {
        "accuracy": hits.sum(axis=1) / tables.sum(axis=(1, 2)),
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
        **{f"recall.{k}": recall[:, k] for k in range(tables.shape[1]) if not np.isnan(recall[:, k]).all()},
    }


def _changes_of(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Counts (D, K, first right, second right) -> the change of each figure (D,)."""
    difference = tables[:, :, 0, 1] - tables[:, :, 1, 0]  # (D, K)
    shown = tables.sum(axis=(2, 3))
    with np.errstate(invalid="ignore"):
        recall = difference / shown
    return {
        "accuracy": difference.sum(axis=1) / shown.sum(axis=1),
        "balanced_accuracy": np.nanmean(recall, axis=1),
    }


def _interval(values: np.ndarray) -> Interval:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))
