"""Uncertainty of metrics: one bootstrap for all intervals, and McNemar's test of two models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mien.errors import InputError, MissingPackageError
from mien.metrics.classification import predicted_classes

RESAMPLES = 2000
BLOCK = 1 << 22  # weights in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A statistic of all images with its 95 % interval: the middle 95 % of what resampling gives."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's exact test of two models on the same images (McNemar, 1947).

    It takes images as independent: where several are of one person or video, p is too small, and the paired
    interval over these clusters decides.
    """

    both: int  # images that both models classify correctly
    only_first: int
    only_second: int
    neither: int
    p_value: float  # of so uneven a split if the models were equally accurate


def bootstrap(
    statistic: Callable[..., np.ndarray],
    *columns: np.ndarray,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The 95 % percentile interval of a statistic that is a function of sums over images.

    `columns` (N, ...): one row per image. `statistic` gets the sum (R, ...) of each column over each of R resamples
    and returns (R,) values: NaN where a resample has none. `clusters` (N,): images of one value (a person, a video)
    are resampled together, "" stands alone; None: every image alone. Two models on the same images in one call
    give a paired interval:

        bootstrap(lambda correct, images: correct / images, correct, np.ones(N), clusters=people)
        bootstrap(lambda first, second, images: (first - second) / images, correct_a, correct_b, np.ones(N))
    """

    def one(*sums: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"": statistic(*sums)}

    return bootstrap_each(one, *columns, clusters=clusters, resamples=resamples, seed=seed)[""]


def bootstrap_each(
    statistics: Callable[..., Mapping[str, np.ndarray]],
    *columns: np.ndarray,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """`bootstrap` of several statistics in the same resamples; one that is NaN in all images is left out."""
    if len({len(column) for column in columns}) != 1:
        raise InputError(
            f"columns of {', '.join(str(len(column)) for column in columns)} images cannot be resampled"
        )
    rows = np.hstack([np.asarray(column).reshape(len(column), -1) for column in columns])
    if clusters is None:
        units, counts = np.unique(rows, axis=0, return_counts=True)  # equal rows are drawn as one
        shares = counts / len(rows)
    else:
        alone = np.array([f"\0{i}" if name == "" else str(name) for i, name in enumerate(clusters.tolist())])
        names, unit = np.unique(alone, return_inverse=True)
        units = np.zeros((len(names), rows.shape[1]))
        np.add.at(units, unit, rows)
        shares = np.full(len(names), 1 / len(names))
    drawn = len(rows) if clusters is None else len(units)
    rng = np.random.default_rng(seed)
    blocks = np.array_split(np.arange(resamples), -(-resamples * len(units) // BLOCK))
    totals = [rng.multinomial(drawn, shares, size=len(block)) @ units.astype(np.float64) for block in blocks]
    totals.insert(0, rows.sum(axis=0, dtype=np.float64)[None])
    shapes = [np.shape(column)[1:] for column in columns]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    sums = [
        part.reshape(-1, *shape)
        for part, shape in zip(np.split(np.vstack(totals), ends[:-1], axis=1), shapes, strict=True)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        results = statistics(*sums)
    return {name: _interval(values) for name, values in results.items() if not np.isnan(values[0])}


def classification_intervals(
    truth: np.ndarray,
    probabilities: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of accuracy, balanced accuracy, macro-F1 and the recall of each class.

    Keys: "accuracy", "balanced_accuracy", "macro_f1", "recall.<index>". Options as `bootstrap`. An accuracy or
    recall of exactly 0 or 1, of which no resample gives another, has the exact binomial bound of so many images or
    clusters; where all recalls are, balanced accuracy has the mean of their bounds.
    """
    classes = probabilities.shape[1]
    table = np.zeros((len(truth), classes, classes + 1), dtype=np.uint8)
    table[np.arange(len(truth)), truth, predicted_classes(probabilities)] = 1  # -1 is the last column
    drawn = bootstrap_each(_of_confusion, table, clusters=clusters, resamples=resamples, seed=seed)
    for name, one in drawn.items():
        if one.value in (0, 1) and name.partition(".")[0] in ("accuracy", "recall"):
            rows = truth == int(name.partition(".")[2]) if "." in name else np.ones(len(truth), dtype=bool)
            drawn[name] = _binomial(one.value, _independent(rows, clusters))
    recalls = [one for name, one in drawn.items() if name.startswith("recall.")]
    if all(one.value in (0, 1) for one in recalls):
        low, high = (float(np.mean([getattr(one, end) for one in recalls])) for end in ("low", "high"))
        drawn["balanced_accuracy"] = replace(drawn["balanced_accuracy"], low=low, high=high)
    return drawn


def _independent(rows: np.ndarray, clusters: np.ndarray | None) -> int:
    """How many images, or clusters of images, these rows (N,) bool are."""
    if clusters is None:
        return int(rows.sum())
    names = clusters[rows]
    return len(set(names[names != ""].tolist())) + int((names == "").sum())


def _binomial(value: float, count: int) -> Interval:
    """The exact interval of a share of 0 or 1 of so many (Clopper and Pearson, 1934)."""
    margin = 1 - 0.025 ** (1 / count)
    return Interval(value=value, low=max(0.0, value - margin), high=min(1.0, value + margin))


def paired_differences(
    truth: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Accuracy and balanced accuracy of the first probabilities (N, K) minus those of the second, paired.

    Keys: "accuracy", "balanced_accuracy". Options as `bootstrap`. Raises `InputError` where the lengths differ.
    """
    correct = _correct(truth, first, second)
    shown = np.eye(first.shape[1], dtype=np.int8)[truth]
    gained = shown * (correct[0].astype(np.int8) - correct[1])[:, None]
    return bootstrap_each(_of_gains, gained, shown, clusters=clusters, resamples=resamples, seed=seed)


def mcnemar(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> McNemar:
    """Two models' probabilities (N, K) for the same images, compared by which they classify correctly."""
    try:
        from scipy.stats import binomtest
    except ModuleNotFoundError as error:
        raise MissingPackageError("Comparing two models", "scipy", "evaluate") from error
    one, two = _correct(truth, first, second)
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    uneven = only_first + only_second
    return McNemar(
        both=int((one & two).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~one & ~two).sum()),
        p_value=float(binomtest(only_first, uneven).pvalue) if uneven else 1.0,
    )


def _correct(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(truth) == len(first) == len(second):
        raise InputError(f"{len(truth)} labels, {len(first)} and {len(second)} predictions cannot be compared")
    return predicted_classes(first) == truth, predicted_classes(second) == truth


def _of_confusion(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Confusion tables (R, K, K + 1) -> each metric (R,); NaN for a class that a resample lacks."""
    correct = np.diagonal(tables, axis1=1, axis2=2)  # (R, K)
    shown, called = tables.sum(axis=2), tables[:, :, :-1].sum(axis=1)  # (R, K)
    recall = correct / shown
    f1 = np.where(shown > 0, 2 * correct / np.maximum(shown + called, 1), np.nan)
    return {
        "accuracy": correct.sum(axis=1) / tables.sum(axis=(1, 2)),
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
        **{f"recall.{k}": recall[:, k] for k in range(tables.shape[1])},
    }


def _of_gains(gained: np.ndarray, shown: np.ndarray) -> dict[str, np.ndarray]:
    """Images (R, K) that one model alone classifies correctly, and of each class -> differences (R,)."""
    return {
        "accuracy": gained.sum(axis=1) / shown.sum(axis=1),
        "balanced_accuracy": np.nanmean(gained / shown, axis=1),
    }


def _interval(values: np.ndarray) -> Interval:
    """The first value is that of all images, the others of the resamples."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return Interval(value=float(values[0]), low=float(low), high=float(high))
