"""The result of an evaluation: metrics, intervals, poses, folds, comparison, robustness. One frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from mien.evaluation.predictions import Predictions, check_same
from mien.evaluation.robustness import Robustness
from mien.metrics import (
    Interval,
    McNemar,
    Metrics,
    classification_intervals,
    classification_metrics,
    mcnemar,
    paired_differences,
    predicted_classes,
)
from mien.models.paper_results import PaperResult

FOLD_METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
MISCLASSIFIED = 48  # images kept, the most confident errors


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseMetrics:
    """Images of one class of head pose."""

    pose: str
    images: int
    accuracy: float
    balanced_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldMetrics:
    """One fold's weights on the images that they were not trained on."""

    fold: str
    images: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same images. Differences are the first minus the second, with paired 95 % intervals."""

    first: str
    second: str
    images: int
    accuracy: Interval
    balanced_accuracy: Interval
    mcnemar: McNemar

    def __repr__(self) -> str:
        bounds = f"{100 * self.accuracy.low:+.2f} to {100 * self.accuracy.high:+.2f}"
        return (
            f"Comparison({self.first!r} over {self.second!r}: accuracy {100 * self.accuracy.value:+.2f} points "
            f"({bounds}), McNemar p = {self.mcnemar.p_value:.2g}, {self.images:,} images)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MisclassifiedImage:
    """One error. `image()` gives the face's pixels (H, W, 3) uint8 RGB, read when called."""

    path: str
    truth: str
    predicted: str
    confidence: float
    image: Callable[[], np.ndarray] = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluation of weights, or of a table of predictions, on a data set."""

    settings: Mapping[str, str]  # data set, split, weights, ...: what was evaluated and how
    labels: tuple[str, ...]  # class names in the order of the metrics
    metrics: Metrics
    intervals: Mapping[str, Interval]  # 95 %; "accuracy", "balanced_accuracy", "macro_f1", "recall.<class>"
    resampled: str  # "subjects"; "groups" (videos) where the set names only these; or "images"
    poses: tuple[PoseMetrics, ...] = ()
    folds: tuple[FoldMetrics, ...] = ()  # `metrics` are of all folds together
    comparison: Comparison | None = None
    robustness: Robustness | None = None
    paper_result: PaperResult | None = None
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()  # images that could not be read, and why; they count as wrong
    misclassified: tuple[MisclassifiedImage, ...] = ()  # the most confident errors, in this order
    predictions: Predictions = field(repr=False, compare=False)  # of every image

    def __repr__(self) -> str:
        accuracy, title = self.intervals["accuracy"], self.settings.get("dataset", "images")
        return (
            f"Evaluation({self.settings.get('weights', 'predictions')} on {title}: "
            f"accuracy {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}), "
            f"balanced accuracy {self.metrics.balanced_accuracy:.1%}, {self.metrics.images:,} images)"
        )

    @property
    def pose_average(self) -> float | None:
        """Mean over pose classes of the accuracy in each, as multi-view papers report it."""
        return float(np.mean([pose.accuracy for pose in self.poses])) if self.poses else None

    def over_folds(self, name: str) -> tuple[float, float]:
        """Mean and sample standard deviation over the folds of one of FOLD_METRICS."""
        values = [getattr(fold, name) for fold in self.folds]
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the predictions of single images."""
        names = [one.name for one in fields(self) if one.name not in ("predictions", "misclassified")]
        values = {name: _plain(getattr(self, name)) for name in names} | {"pose_average": self.pose_average}
        values["metrics"]["classes"] = dict(zip(self.labels, values["metrics"]["classes"], strict=True))
        if self.folds:
            values["over_folds"] = {
                name: dict(zip(("mean", "std"), self.over_folds(name), strict=True)) for name in FOLD_METRICS
            }
        if self.robustness is not None:
            values["robustness"] |= {
                "mean_accuracy": self.robustness.mean_accuracy,
                "mean_balanced_accuracy": self.robustness.mean_balanced_accuracy,
            }
        values["misclassified"] = [
            {name: getattr(one, name) for name in ("path", "truth", "predicted", "confidence")}
            for one in self.misclassified
        ]
        return values

    def to_html(self) -> str:
        """One self-contained page with tables, plots and the most confident errors."""
        from mien.evaluation import plots, tables
        from mien.pages.render import render

        values = {"evaluation": self, "metrics": self.metrics, "tables": tables, "plots": plots}
        return render("mien.evaluation", "evaluation.html", **values)


def summarize(
    predictions: Predictions,
    *,
    settings: Mapping[str, str],
    other: Predictions | None = None,
    compared: tuple[str, str] = ("", ""),
    folds: Mapping[str, np.ndarray] | None = None,
    **more: Any,
) -> Evaluation:
    """The metrics of predictions, as an `Evaluation`; `more` are further fields of it.

    `other`: a second model's predictions for the same images; `compared`: the names of both. `folds`: which
    predictions, by index or mask, are of which fold's weights.
    """
    intervals = classification_intervals(
        predictions.truth, predictions.probabilities, clusters=predictions.clusters
    )
    return Evaluation(
        settings=dict(settings),
        labels=tuple(str(label) for label in predictions.labels),
        metrics=classification_metrics(predictions.truth, predictions.probabilities),
        intervals={_by_class(name, predictions): bound for name, bound in intervals.items()},
        resampled=predictions.resampled,
        poses=_poses(predictions),
        folds=_folds(predictions, folds or {}),
        comparison=None if other is None else _comparison(predictions, other, compared),
        notes=predictions.notes,
        predictions=predictions,
        **more,
    )


def most_confident_errors(predictions: Predictions, *, most: int = MISCLASSIFIED) -> list[tuple[int, float]]:
    """Rows predicted wrongly with the probability of the wrong class, the highest first."""
    wrong = np.flatnonzero(predicted_classes(predictions.probabilities) != predictions.truth)
    confidence = predictions.probabilities[wrong].max(axis=1)
    order = np.argsort(-confidence, kind="stable")[:most]
    return [(int(wrong[i]), float(confidence[i])) for i in order if confidence[i] > 0]


def _poses(predictions: Predictions) -> tuple[PoseMetrics, ...]:
    if predictions.pose is None:
        return ()
    names = sorted({*predictions.pose.tolist()} - {""}, key=float)
    metrics = {name: _metrics_of(predictions.take(predictions.pose == name)) for name in names}
    return tuple(
        PoseMetrics(pose=name, images=one.images, accuracy=one.accuracy, balanced_accuracy=one.balanced_accuracy)
        for name, one in metrics.items()
    )


def _folds(predictions: Predictions, folds: Mapping[str, np.ndarray]) -> tuple[FoldMetrics, ...]:
    parts = {name: predictions.take(rows) for name, rows in folds.items()}
    metrics = {name: _metrics_of(part) for name, part in parts.items() if len(part)}
    return tuple(
        FoldMetrics(fold=name, images=one.images, **{key: getattr(one, key) for key in FOLD_METRICS})
        for name, one in metrics.items()
    )


def _comparison(first: Predictions, second: Predictions, names: tuple[str, str]) -> Comparison:
    check_same([first, second])
    both = (first.truth, first.probabilities, second.probabilities)
    differences = paired_differences(*both, clusters=first.clusters)
    return Comparison(first=names[0], second=names[1], images=len(first), mcnemar=mcnemar(*both), **differences)


def _metrics_of(predictions: Predictions) -> Metrics:
    return classification_metrics(predictions.truth, predictions.probabilities)


def _by_class(name: str, predictions: Predictions) -> str:
    metric, _, index = name.partition(".")
    return f"{metric}.{predictions.labels[int(index)]}" if index else name


def _plain(value: Any) -> Any:
    """Dataclasses as dicts, at any depth."""
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (tuple, list)) else value
