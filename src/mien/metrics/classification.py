"""How good probabilities are: accuracy of every kind, calibration, coverage. Counts come from scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.errors import InputError, MissingPackageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """One class. A share that has no images to speak of is None."""

    count: int  # images that show it
    precision: float | None  # of the images called so
    recall: float | None  # of the images that show it
    f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a reliability curve."""

    count: int
    confidence: float  # mean probability of the top class
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoveragePoint:
    """What an confidence_thresholds threshold does."""

    threshold: float  # answers below it are withheld
    share: float  # of the images still answered
    accuracy: float | None  # of those


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything that is said of one set of answers. Shares lie in 0..1."""

    images: int
    answered: int  # images with an answer; one without (no face found) counts as wrong
    accuracy: float
    balanced_accuracy: float  # balanced accuracy over the classes that occur
    macro_f1: float  # mean F1 over the classes that occur
    top2: float  # the truth is among the two most probable classes
    calibration_error: float  # expected, 15 equal bins (Guo et al., 2017)
    log_loss: float | None  # natural logarithm; None where an image has no answer
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows: truth; columns: answer; last column: no answer
    reliability: tuple[Bin, ...]
    coverage: tuple[RiskCoveragePoint, ...]


THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(20))
BINS = 15


def figures(truth: np.ndarray, probabilities: np.ndarray) -> Metrics:
    """Truth (N,) as class indices and probabilities (N, K), rows of zeros where there is no answer -> figures.

    Raises `InputError` where there is nothing to judge or the two do not fit each other.
    """
    truth, probabilities = _checked(truth, probabilities)
    try:
        from sklearn.metrics import precision_recall_fscore_support
    except ModuleNotFoundError as error:
        raise MissingPackageError("Evaluation", "scikit-learn", "evaluate") from error

    classes = probabilities.shape[1]
    given = probabilities.sum(axis=1) > 0
    answer = answers(probabilities)
    right = answer == truth
    confidence = probabilities.max(axis=1)
    table = confusion(truth, probabilities)
    called, shown = table[:, :classes].sum(axis=0), table.sum(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, answer, labels=np.arange(classes), average=None, zero_division=0
    )
    there = shown > 0
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    bars = _reliability(right[given], confidence[given])
    return Metrics(
        images=len(truth),
        answered=int(given.sum()),
        accuracy=float(right.mean()),
        balanced_accuracy=float(recall[there].mean()),
        macro_f1=float(f1[there].mean()),
        top2=float(((order == truth[:, None]).any(axis=1) & given).mean()),
        calibration_error=sum(bar.count * abs(bar.accuracy - bar.confidence) for bar in bars) / max(1, given.sum()),
        log_loss=_log_loss(truth, probabilities) if given.all() else None,
        classes=tuple(
            ClassMetrics(
                count=int(shown[k]),
                precision=float(precision[k]) if called[k] else None,
                recall=float(recall[k]) if shown[k] else None,
                f1=float(f1[k]) if shown[k] else None,
            )
            for k in range(classes)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in table),
        reliability=bars,
        coverage=_coverage(right, np.where(given, confidence, -1.0)),
    )


def answers(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) -> the most probable class (N,), the first of equals; -1 where there is no answer."""
    return np.where(probabilities.sum(axis=1) > 0, probabilities.argmax(axis=1), -1)


def confusion(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts (K, K + 1): truth in rows, answer in columns, no answer in the last column."""
    classes = probabilities.shape[1]
    answer = answers(probabilities)
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (truth, np.where(answer < 0, classes, answer)), 1)
    return table


def _log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-12)).mean())


def _reliability(right: np.ndarray, confidence: np.ndarray) -> tuple[Bin, ...]:
    rows = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(
            count=int((rows == b).sum()),
            confidence=float(confidence[rows == b].mean()),
            accuracy=float(right[rows == b].mean()),
        )
        for b in np.unique(rows)
    )


def _coverage(right: np.ndarray, confidence: np.ndarray) -> tuple[RiskCoveragePoint, ...]:
    kept = [(threshold, confidence >= threshold) for threshold in THRESHOLDS]
    return tuple(
        RiskCoveragePoint(
            threshold=threshold,
            share=float(rows.mean()),
            accuracy=float(right[rows].mean()) if rows.any() else None,
        )
        for threshold, rows in kept
    )


def _checked(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, dtype=np.float64)
    if not len(truth):
        raise InputError("there is no labelled image to judge")
    if probabilities.ndim != 2 or len(truth) != len(probabilities):
        raise InputError(f"{len(truth)} labels do not fit probabilities of shape {probabilities.shape}")
    if truth.min() < 0 or truth.max() >= probabilities.shape[1]:
        raise InputError(f"labels lie in {truth.min()}..{truth.max()}, classes in 0..{probabilities.shape[1] - 1}")
    if not np.isfinite(probabilities).all():
        raise InputError("some probabilities are not finite numbers")
    return truth, probabilities
