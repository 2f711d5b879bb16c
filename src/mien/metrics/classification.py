"""Classification metrics from truth and probabilities. Precision, recall and F1 come from scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.errors import InputError, MissingPackageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """One class. A share of nothing is None."""

    count: int  # images of this class
    precision: float | None  # of the images predicted as this class
    recall: float | None  # of the images of this class
    f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """One point of a reliability diagram."""

    count: int
    confidence: float  # mean probability of the predicted class
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoveragePoint:
    """Selective prediction at one confidence threshold."""

    threshold: float  # predictions below it are withheld
    coverage: float  # share of the images that keep their prediction
    accuracy: float | None  # of those: 1 - selective risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All metrics of one set of predictions. Shares lie in 0..1."""

    images: int
    predicted: int  # images with a prediction; one without (no face detected) counts as wrong
    accuracy: float
    balanced_accuracy: float  # recall averaged over the classes that occur
    macro_f1: float  # mean F1 over the classes that occur
    top2_accuracy: float
    ece: float  # expected calibration error, 15 equal bins (Guo et al., 2017)
    log_loss: float | None  # natural logarithm; None where an image has no prediction
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows: truth; columns: prediction; last column: no prediction
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskCoveragePoint, ...]


THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(20))
BINS = 15


def classification_metrics(truth: np.ndarray, probabilities: np.ndarray) -> Metrics:
    """Truth (N,) as class indices, probabilities (N, K) with rows of zeros where there is no prediction.

    Raises `InputError` where there is no image or the two do not fit each other.
    """
    truth, probabilities = _checked(truth, probabilities)
    try:
        from sklearn.metrics import precision_recall_fscore_support
    except ModuleNotFoundError as error:
        raise MissingPackageError("Evaluation", "scikit-learn", "evaluate") from error

    classes = probabilities.shape[1]
    predicted = predicted_classes(probabilities)
    given, correct, confidence = predicted >= 0, predicted == truth, probabilities.max(axis=1)
    confusion = confusion_matrix(truth, predicted, classes)
    as_class, of_class = confusion[:, :classes].sum(axis=0), confusion.sum(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=np.arange(classes), average=None, zero_division=0
    )
    top2 = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    bins = _reliability(correct[given], confidence[given])
    return Metrics(
        images=len(truth),
        predicted=int(given.sum()),
        accuracy=float(correct.mean()),
        balanced_accuracy=balanced_accuracy(truth, predicted),
        macro_f1=float(f1[of_class > 0].mean()),
        top2_accuracy=float(((top2 == truth[:, None]).any(axis=1) & given).mean()),
        ece=sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / max(1, given.sum()),
        log_loss=_log_loss(truth, probabilities) if given.all() else None,
        classes=tuple(
            ClassMetrics(
                count=int(of_class[k]),
                precision=float(precision[k]) if as_class[k] else None,
                recall=float(recall[k]) if of_class[k] else None,
                f1=float(f1[k]) if of_class[k] else None,
            )
            for k in range(classes)
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=bins,
        risk_coverage=_risk_coverage(correct, np.where(given, confidence, -1.0)),
    )


def predicted_classes(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) -> the most probable class (N,), the first of equals; -1 for a row of zeros."""
    return np.where(probabilities.sum(axis=1) > 0, probabilities.argmax(axis=1), -1)


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Recall averaged over the classes that occur in `truth` (N,); `predicted` (N,) is -1 without a prediction."""
    images = np.bincount(truth)
    correct = np.bincount(truth, truth == predicted)
    return float((correct[images > 0] / images[images > 0]).mean())


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (K, K + 1): truth in rows, predictions in columns, no prediction (-1) in the last column."""
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (truth, predicted), 1)  # -1 is the last column
    return table


def _log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-12)).mean())


def _reliability(correct: np.ndarray, confidence: np.ndarray) -> tuple[ReliabilityBin, ...]:
    rows = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        ReliabilityBin(
            count=int((rows == b).sum()),
            confidence=float(confidence[rows == b].mean()),
            accuracy=float(correct[rows == b].mean()),
        )
        for b in np.unique(rows)
    )


def _risk_coverage(correct: np.ndarray, confidence: np.ndarray) -> tuple[RiskCoveragePoint, ...]:
    return tuple(
        RiskCoveragePoint(
            threshold=threshold,
            coverage=float(rows.mean()),
            accuracy=float(correct[rows].mean()) if rows.any() else None,
        )
        for threshold, rows in ((threshold, confidence >= threshold) for threshold in THRESHOLDS)
    )


def _checked(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, dtype=np.float64)
    if not len(truth):
        raise InputError("there is no labelled image to evaluate")
    if probabilities.ndim != 2 or len(truth) != len(probabilities):
        raise InputError(f"{len(truth)} labels do not fit probabilities of shape {probabilities.shape}")
    if truth.min() < 0 or truth.max() >= probabilities.shape[1]:
        raise InputError(f"labels lie in {truth.min()}..{truth.max()}, classes in 0..{probabilities.shape[1] - 1}")
    if not np.isfinite(probabilities).all():
        raise InputError("some probabilities are not finite numbers")
    return truth, probabilities
