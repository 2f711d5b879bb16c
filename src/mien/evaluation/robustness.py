"""What is left of the accuracy under corruptions and for turned heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.evaluation.predictions import Predictions, check_same
from mien.metrics import Interval, classification_intervals, classification_metrics, paired_differences

YAW_EDGES_DEG = (10.0, 20.0, 35.0)  # beyond the last, landmarks do not tell the angle


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionMetrics:
    """All images under one corruption at one severity."""

    corruption: str
    severity: str
    altered: int  # images that the corruption changed at all
    predicted: int  # images with a prediction; one without (no face detected) counts as wrong
    accuracy: float
    balanced_accuracy: float
    accuracy_change: Interval  # from the clean images to these, paired
    balanced_accuracy_change: Interval
    accuracy_gain: Interval | None = None  # over the weights compared with, on the same corrupted images
    balanced_accuracy_gain: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class YawBin:
    """Clean images by the yaw of the head."""

    range: str  # degrees to either side, measured from landmarks
    images: int
    accuracy: Interval
    balanced_accuracy: Interval


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """One set of weights on one data set."""

    corruptions: tuple[CorruptionMetrics, ...]  # by corruption, from mild to severe
    yaw_bins: tuple[YawBin, ...]

    @property
    def by_corruption(self) -> dict[str, list[CorruptionMetrics]]:
        """The severities of each corruption."""
        names = dict.fromkeys(one.corruption for one in self.corruptions)
        return {name: [one for one in self.corruptions if one.corruption == name] for name in names}

    @property
    def mean_accuracy(self) -> float:
        """The mean over corruptions of the mean over their severities."""
        return float(np.mean([np.mean([one.accuracy for one in some]) for some in self.by_corruption.values()]))

    @property
    def mean_balanced_accuracy(self) -> float:
        """The same of the balanced accuracy."""
        means = [np.mean([one.balanced_accuracy for one in some]) for some in self.by_corruption.values()]
        return float(np.mean(means))


def robustness(
    clean: Predictions,
    corrupted: Sequence[tuple[str, str, int, Predictions]],
    *,
    yaw_deg: np.ndarray,
    other: Sequence[Predictions] = (),
) -> Robustness:
    """Compare the clean images with their corrupted versions (corruption, severity, images altered, predictions).

    `yaw_deg` (N,): of the heads, NaN where unknown. `other`: of weights to compare with, for each version. The 95 %
    intervals are paired: a resample takes both versions of an image or neither, and subjects whole where the set
    names them. Raises `InputError` where predictions are for other images or classes.
    """
    check_same([clean, *(after for *_, after in corrupted), *other])

    def difference(first: Predictions, second: Predictions) -> dict[str, Interval]:
        both = (first.probabilities, second.probabilities)
        return paired_differences(clean.truth, *both, clusters=clean.clusters)

    results = []
    for i, (corruption, severity, altered, after) in enumerate(corrupted):
        metrics = classification_metrics(after.truth, after.probabilities)
        change = difference(after, clean)
        gain = difference(after, other[i]) if other else {}
        results.append(
            CorruptionMetrics(
                corruption=corruption,
                severity=severity,
                altered=altered,
                predicted=metrics.predicted,
                accuracy=metrics.accuracy,
                balanced_accuracy=metrics.balanced_accuracy,
                accuracy_change=change["accuracy"],
                balanced_accuracy_change=change["balanced_accuracy"],
                accuracy_gain=gain.get("accuracy"),
                balanced_accuracy_gain=gain.get("balanced_accuracy"),
            )
        )
    return Robustness(corruptions=tuple(results), yaw_bins=_yaw_bins(clean, yaw_deg))


def _yaw_bins(clean: Predictions, yaw_deg: np.ndarray) -> tuple[YawBin, ...]:
    edges = [f"{edge:g}" for edge in YAW_EDGES_DEG]
    ranges = [f"under {edges[0]}°", *(f"{low} to {high}°" for low, high in pairwise(edges)), f"over {edges[-1]}°"]
    known = np.isfinite(yaw_deg)
    index = np.where(known, np.digitize(np.abs(np.where(known, yaw_deg, 0)), YAW_EDGES_DEG), -1)
    bins = []
    for i in np.unique(index[known]):
        part = clean.take(index == i)
        bounds = classification_intervals(part.truth, part.probabilities, clusters=part.clusters)
        bins.append(
            YawBin(
                range=ranges[i],
                images=len(part),
                accuracy=bounds["accuracy"],
                balanced_accuracy=bounds["balanced_accuracy"],
            )
        )
    return tuple(bins)
