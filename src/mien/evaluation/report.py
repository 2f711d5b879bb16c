"""What is said of answers: figures, intervals, poses, a comparison, the published figure. One frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mien.evaluation.predictions import Predictions, bootstrap_clusters, check_same
from mien.evaluation.robustness import Robustness
from mien.labels import LabelSet
from mien.metrics import (
    Interval,
    McNemar,
    Metrics,
    classification_intervals,
    classification_metrics,
    mcnemar,
    predicted_classes,
)
from mien.models.paper_results import PaperResult

FOLD_METRICS = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseMetrics:
    """Predictions for one class of head pose."""

    pose: str
    images: int
    accuracy: float
    balanced_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldMetrics:
    """The answers of one fold's weights for the images that they never saw."""

    fold: str
    images: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """One evaluation. `of` says what was judged: weights, set, split, how faces were found, command, version."""

    of: Mapping[str, str]
    labels: tuple[str, ...]  # class names in the order of the figures
    figures: Metrics
    intervals: Mapping[str, Interval]  # 95 %; keys as `mien.metrics.classification_intervals`, recall by class name
    by_subject: bool  # the intervals draw people, not images
    poses: tuple[PoseMetrics, ...] = ()
    folds: tuple[FoldMetrics, ...] = ()  # the figures above are of all folds together
    comparison: McNemar | None = None
    compared_with: str = ""
    published: PaperResult | None = None
    notes: tuple[str, ...] = field(default=())
    robustness: Robustness | None = None  # None: not asked for

    @property
    def pose_average(self) -> float | None:
        """Mean over pose classes of the accuracy in each: the figure of multi-view papers."""
        return float(np.mean([pose.accuracy for pose in self.poses])) if self.poses else None

    def over_folds(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation (of a sample) over the folds of one of FOLD_METRICS."""
        values = [getattr(fold, name) for fold in self.folds]
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(self) | {"pose_average": self.pose_average}
        values["figures"]["classes"] = dict(zip(self.labels, values["figures"]["classes"], strict=True))
        if self.folds:
            values["over_folds"] = {
                name: dict(zip(("mean", "deviation"), self.over_folds(name), strict=True)) for name in FOLD_METRICS
            }
        if self.robustness is not None:
            values["robustness"] |= {
                "mean_accuracy": self.robustness.mean_accuracy,
                "mean_balanced_accuracy": self.robustness.mean_balanced_accuracy,
            }
        return values


def report(
    found: Predictions,
    *,
    of: Mapping[str, str],
    published: PaperResult | None = None,
    other: Predictions | None = None,
    compared_with: str = "",
    robustness: Robustness | None = None,
    folds: Mapping[str, np.ndarray] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Report:
    """Judge answers.

    `other`: a second model's answers for the same images, compared by McNemar's test. `folds`: which of the
    answers, by index or mask, come from which fold's weights.
    """
    units = bootstrap_clusters(found)
    bounds = classification_intervals(found.truth, found.probabilities, clusters=units, resamples=draws, seed=seed)
    return Report(
        of=dict(of),
        labels=tuple(str(label) for label in found.labels),
        figures=classification_metrics(found.truth, found.probabilities),
        intervals={_named(name, found.labels): bound for name, bound in bounds.items()},
        by_subject=units is not None,
        poses=_poses(found),
        folds=_folds(found, folds or {}),
        comparison=None if other is None else _compared(found, other),
        compared_with=compared_with,
        published=published,
        notes=found.notes,
        robustness=robustness,
    )


def mistakes(found: Predictions, *, most: int = 48) -> list[tuple[int, float]]:
    """Rows answered wrongly, the surest first, with the probability of the wrong class."""
    wrong = np.flatnonzero(predicted_classes(found.probabilities) != found.truth)
    sure = found.probabilities[wrong].max(axis=1)
    order = np.argsort(-sure, kind="stable")[:most]
    return [(int(wrong[i]), float(sure[i])) for i in order if sure[i] > 0]


def _poses(found: Predictions) -> tuple[PoseMetrics, ...]:
    if found.pose is None:
        return ()
    rows_of = {
        name: np.flatnonzero(found.pose == name) for name in dict.fromkeys(sorted(found.pose.tolist(), key=_angle))
    }
    judged = {
        name: classification_metrics(found.truth[rows], found.probabilities[rows])
        for name, rows in rows_of.items()
        if name != ""
    }
    return tuple(
        PoseMetrics(
            pose=name,
            images=figure.images,
            accuracy=figure.accuracy,
            balanced_accuracy=figure.balanced_accuracy,
        )
        for name, figure in judged.items()
    )


def _folds(found: Predictions, folds: Mapping[str, np.ndarray]) -> tuple[FoldMetrics, ...]:
    parts = {name: found.take(rows) for name, rows in folds.items()}
    judged = {
        name: classification_metrics(part.truth, part.probabilities) for name, part in parts.items() if len(part)
    }
    return tuple(
        FoldMetrics(fold=name, images=said.images, **{key: getattr(said, key) for key in FOLD_METRICS})
        for name, said in judged.items()
    )


def _angle(name: str) -> tuple[float, str]:
    """Poses called by an angle stand in its order."""
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _compared(found: Predictions, other: Predictions) -> McNemar:
    check_same([found, other])
    return mcnemar(found.truth, found.probabilities, other.probabilities)


def _named(name: str, labels: LabelSet) -> str:
    kind, _, index = name.partition(".")
    return f"{kind}.{labels[int(index)]}" if index else name
