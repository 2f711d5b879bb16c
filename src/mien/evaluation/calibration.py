"""Calibration: temperature, operating points and the confidence threshold, from logits of labelled images.

Probabilities are softmax(logits / temperature + priors). What is chosen is one number each, on one half of the
images (`first_half`), and is measured on the other half. Several sets weigh the same, however large they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mien.errors import InputError
from mien.metrics import balanced_accuracy, bootstrap, classification_metrics
from mien.pipeline.classifier import calibrated
from mien.weights.manifest import ConfidenceThreshold, WeightsManifest

ACCURACY = 0.9  # selective accuracy that the confidence threshold is to reach
WITHIN = 0.01  # of the best accuracy, for the operating point "default"
STRENGTHS = np.linspace(-0.6, 1.2, 37)  # of the prior
TEMPERATURES = np.geomspace(0.3, 3, 200)
FLOOR = 2e-3  # least frequency of a class: an absent one must not be infinitely unlikely
LEAST = 25  # images in either half


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledLogits:
    """Logits of labelled images of one set, before temperature and priors."""

    title: str
    logits: np.ndarray  # (N, K)
    truth: np.ndarray  # (N,) class indices
    clusters: np.ndarray  # (N,) str: the person or video of an image, or the image itself
    classes: np.ndarray | None = None  # (K,) bool: the classes of the set; None: all

    def __post_init__(self) -> None:
        if not len(self.truth) == len(self.logits) == len(self.clusters):
            raise InputError(
                f"{self.title}: {len(self.logits)} logits, {len(self.truth)} labels, {len(self.clusters)} clusters"
            )
        if not np.isfinite(self.logits).all():
            raise InputError(f"{self.title}: some logits are not finite numbers")

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> LabelledLogits:
        """Some rows, by index or mask."""
        return replace(self, logits=self.logits[rows], truth=self.truth[rows], clusters=self.clusters[rows])

    @property
    def restricted(self) -> np.ndarray:
        """(N, K): minus infinity for classes that the set lacks, as evaluation leaves them out."""
        return self.logits if self.classes is None else np.where(self.classes, self.logits, -np.inf)

    def probabilities(self, temperature: float, priors: np.ndarray) -> np.ndarray:
        """(N, K), summing to 1 over the classes of the set."""
        return calibrated(self.restricted, temperature, priors)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was chosen, and what it comes to on the images that did not choose it."""

    temperature: float
    priors: Mapping[str, tuple[float, ...]]  # operating point -> what is added to logits / temperature
    strengths: Mapping[str, float]  # operating point -> share of the class frequencies that is divided out
    thresholds: Mapping[str, ConfidenceThreshold]
    before: Mapping[str, Mapping[str, Any]]  # set -> metrics with temperature 1 and without priors
    after: Mapping[str, Mapping[str, Any]]  # set -> metrics under "default"

    def applied(self, manifest: WeightsManifest) -> WeightsManifest:
        """The manifest with this calibration in the place of its own."""
        return replace(
            manifest,
            temperature=self.temperature,
            priors=dict(self.priors),
            confidence_thresholds=dict(self.thresholds),
        )


def calibrate_logits(
    sets: Sequence[LabelledLogits],
    frequencies: np.ndarray,
    *,
    accuracy: float = ACCURACY,
    command: str = "",
) -> Calibration:
    """Choose everything on one half of each set and measure it on the other half.

    `frequencies` (K,): of the classes in training; the operating points divide powers of them out. Raises
    `InputError` where a half has fewer than 25 images.
    """
    halves = [(one.take(mask), one.take(~mask)) for one in sets for mask in [first_half(one.clusters)]]
    for one, pair in zip(sets, halves, strict=True):
        if min(map(len, pair)) < LEAST:
            raise InputError(
                f"{one.title}: {len(one)} labelled images, {len(pair[0])} to choose and {len(pair[1])} to measure; "
                f"calibration needs {LEAST} of each"
            )
    chooses, others = [pair[0] for pair in halves], [pair[1] for pair in halves]
    strengths = operating_points(chooses, frequencies)
    biases = {name: prior(frequencies, strength) for name, strength in strengths.items()}
    temperature = best_temperature(chooses, biases["default"])
    priors = {name: np.round(bias / temperature, 4) for name, bias in biases.items()}
    names = " and ".join(one.title for one in sets)
    rule = f"lowest threshold with a selective accuracy of {accuracy:.0%} on one half of {names}"
    thresholds = {}
    for name, bias in priors.items():
        threshold = lowest_threshold(
            np.concatenate([one.probabilities(temperature, bias) for one in chooses]),
            np.concatenate([one.truth for one in chooses]),
            accuracy,
            weight=_even(chooses),
        )
        measured: dict[str, Any] = {
            f"{one.title}, other half": selective_metrics(
                threshold, one.probabilities(temperature, bias), one.truth, one.clusters
            )
            for one in others
        }
        measured = {"command": command} | measured if command else measured
        thresholds[name] = ConfidenceThreshold(threshold=threshold, rule=rule, measured=measured)
    return Calibration(
        temperature=temperature,
        priors={name: tuple(map(float, bias)) for name, bias in priors.items()},
        strengths=strengths,
        thresholds=thresholds,
        before={one.title: _metrics(one, 1.0, np.zeros(len(frequencies))) for one in others},
        after={one.title: _metrics(one, temperature, priors["default"]) for one in others},
    )


def first_half(clusters: np.ndarray) -> np.ndarray:
    """Mask (N,) of half of the clusters by a hash of their names: the same on every machine."""
    return np.array([hashlib.sha256(f"half {name}".encode()).digest()[0] < 128 for name in clusters.tolist()])


def prior(frequencies: np.ndarray, strength: float) -> np.ndarray:
    """Bias (K,) on the logits that divides a power of the class frequencies (K,) out: -strength x log f."""
    shares = np.maximum(np.asarray(frequencies, dtype=np.float64), 0)
    return -strength * np.log(np.maximum(shares / shares.sum(), FLOOR))


def operating_points(sets: Sequence[LabelledLogits], frequencies: np.ndarray) -> dict[str, float]:
    """The strength of `prior` of three operating points, by means over the sets.

    natural: the best accuracy. balanced: the best balanced accuracy. default: the best balanced accuracy within
    `WITHIN` of the best accuracy. Of equals the one nearest to 0.
    """
    strengths = sorted(STRENGTHS.tolist(), key=abs)
    predicted = {k: [(one.restricted + prior(frequencies, k)).argmax(axis=1) for one in sets] for k in strengths}
    accuracy = {
        k: float(np.mean([(p == one.truth).mean() for p, one in zip(predictions, sets, strict=True)]))
        for k, predictions in predicted.items()
    }
    balanced = {
        k: float(np.mean([balanced_accuracy(one.truth, p) for p, one in zip(predictions, sets, strict=True)]))
        for k, predictions in predicted.items()
    }
    near = [k for k in strengths if accuracy[k] >= max(accuracy.values()) - WITHIN]
    chosen = {
        "default": max(near, key=lambda k: balanced[k]),
        "natural": max(strengths, key=lambda k: accuracy[k]),
        "balanced": max(strengths, key=lambda k: balanced[k]),
    }
    return {name: round(k, 4) for name, k in chosen.items()}


def best_temperature(sets: Sequence[LabelledLogits], bias: np.ndarray) -> float:
    """The temperature with the least mean log loss of (logits + bias) / temperature over the sets."""

    def log_loss(temperature: float) -> float:
        losses = []
        for one in sets:
            probabilities = one.probabilities(temperature, bias / temperature)
            losses.append(-np.log(probabilities[np.arange(len(one)), one.truth].clip(1e-12)).mean())
        return float(np.mean(losses))

    return round(float(min(TEMPERATURES, key=log_loss)), 4)


def lowest_threshold(
    probabilities: np.ndarray, truth: np.ndarray, accuracy: float, *, weight: np.ndarray | None = None
) -> float:
    """The lowest threshold in hundredths with this selective accuracy; 1 where there is none.

    `weight` (N,) of the images; None: all the same.
    """
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    weight = np.ones(len(truth)) if weight is None else weight
    for step in range(101):
        certain = confidence >= step / 100
        if certain.any() and np.average(correct[certain], weights=weight[certain]) >= accuracy:
            return step / 100
    return 1.0


def selective_metrics(
    threshold: float, probabilities: np.ndarray, truth: np.ndarray, clusters: np.ndarray
) -> dict[str, Any]:
    """Coverage and selective accuracy with 95 % intervals, the accuracy of the predictions below the threshold,
    and the risk-coverage curve: (threshold, coverage, accuracy) at every twentieth.
    """
    certain = probabilities.max(axis=1) >= threshold
    correct = probabilities.argmax(axis=1) == truth
    columns = certain & correct, certain, np.ones(len(truth))
    options: dict[str, Any] = {"clusters": clusters, "resamples": 1000, "seed": 0}
    intervals = {"coverage": bootstrap(lambda _, kept, images: kept / images, *columns, **options)}
    if certain.any():
        intervals["accuracy"] = bootstrap(lambda right, kept, _: right / kept, *columns, **options)
    curve = classification_metrics(truth, probabilities).risk_coverage
    return {
        "images": len(truth),
        "coverage": round(intervals["coverage"].value, 4),
        "accuracy": round(intervals["accuracy"].value, 4) if certain.any() else None,
        "accuracy_below_threshold": round(float(correct[~certain].mean()), 4) if not certain.all() else None,
        "interval_95": {name: [round(each.low, 4), round(each.high, 4)] for name, each in intervals.items()},
        "risk_coverage": [
            [point.threshold, round(point.coverage, 4), round(point.accuracy, 4)]
            for point in curve
            if point.accuracy is not None
        ],
    }


def _even(sets: Sequence[LabelledLogits]) -> np.ndarray:
    """A weight for each image, such that the sets weigh the same."""
    return np.concatenate([np.full(len(one), 1 / len(one)) for one in sets])


def _metrics(one: LabelledLogits, temperature: float, bias: np.ndarray) -> dict[str, Any]:
    metrics = classification_metrics(one.truth, one.probabilities(temperature, bias))
    return {
        "images": metrics.images,
        "accuracy": round(metrics.accuracy, 4),
        "balanced_accuracy": round(metrics.balanced_accuracy, 4),
        "ece": round(metrics.ece, 4),
        "log_loss": round(metrics.log_loss or 0.0, 4),
    }
