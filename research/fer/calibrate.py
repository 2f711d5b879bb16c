"""Operating points, temperature and confidence thresholds of weights, and their metrics on the suite.

    python -m research.fer.calibrate weights/default --logits logits/default.npz --suite suite --manifest

Everything is chosen on the first half of each of the five sources (people and films undivided), which weigh the
same however large they are, and measured on the other half; SFEW Val and the muxspace test people choose nothing.
Operating points divide a power of the class frequencies of FER+ training out of the probabilities:

    default   the best mean balanced accuracy of the five sources within 1.1 points of the best FER+ accuracy
              (`--within`), which is at most half a point below the previous default
    natural   the best FER+ accuracy
    balanced  the best mean balanced accuracy

A class that is never recognised on FER+ under a point is raised until it is predicted as often as it is shown.
Temperature: the least mean log loss under "default". Threshold: the lowest with a selective accuracy of 90 %. A
source without contempt is evaluated over its seven classes, as `mien evaluate` does. `--manifest` writes it all.

`--keep` chooses nothing: the operating points, temperature and thresholds of the manifest are measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.datasets import dataset_info
from mien.evaluation.calibration import (
    STRENGTHS,
    LabelledLogits,
    best_temperature,
    first_half,
    lowest_threshold,
    prior,
    selective_metrics,
)
from mien.labels import FERPLUS
from mien.metrics import balanced_accuracy, classification_intervals, classification_metrics
from mien.weights.manifest import ConfidenceThreshold, WeightsManifest, write_manifest
from research.fer.measure import Measured
from research.fer.suite import ENTRIES, SUITE

WITHIN = 0.011  # of the best FER+ accuracy, for "default"
ACCURACY = 0.90  # selective
RULE = f"lowest threshold with a selective accuracy of {ACCURACY:.0%} on one half of five sources of equal weight"
COMMAND = (
    "python -m research.fer.calibrate weights/{0} --logits logits/{0}.npz --suite suite {1} --within {2} --manifest"
)
KEPT = "python -m research.fer.calibrate weights/{0} --logits logits/{0}.npz --suite suite --keep --manifest"


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A strength of the prior and what it comes to on some images."""

    strength: float
    ferplus: float  # accuracy
    mean: float  # of the sources' balanced accuracies


def frequencies() -> np.ndarray:
    """(8,) images of each class in FER+ training."""
    train = dataset_info("ferplus").published()["train"]
    return np.array([train[label] for label in FERPLUS])


def operating_points(sets: Sequence[LabelledLogits], within: float = WITHIN) -> dict[str, OperatingPoint]:
    """By name; FER+ is the first of the sets."""
    points = []
    for strength in sorted(STRENGTHS.tolist(), key=abs):  # of equals the weakest
        predicted = [(one.restricted + prior(frequencies(), strength)).argmax(axis=1) for one in sets]
        each = [balanced_accuracy(one.truth, classes) for one, classes in zip(sets, predicted, strict=True)]
        right = float((predicted[0] == sets[0].truth).mean())
        points.append(OperatingPoint(strength=round(strength, 2), ferplus=right, mean=float(np.mean(each))))
    best = max(point.ferplus for point in points)
    return {
        "default": max((p for p in points if p.ferplus >= best - within), key=lambda p: p.mean),
        "natural": max(points, key=lambda p: p.ferplus),
        "balanced": max(points, key=lambda p: p.mean),
    }


def without_priors(sets: Sequence[LabelledLogits]) -> tuple[float, float]:
    """Means over the sets of accuracy and balanced accuracy: what a network gives with nothing chosen."""
    predicted = [one.restricted.argmax(axis=1) for one in sets]
    right = [float((p == one.truth).mean()) for p, one in zip(predicted, sets, strict=True)]
    balanced = [balanced_accuracy(one.truth, p) for p, one in zip(predicted, sets, strict=True)]
    return float(np.mean(right)), float(np.mean(balanced))


def with_every_class(ferplus: LabelledLogits, bias: np.ndarray) -> np.ndarray:
    """The bias (8,), raised for classes that are never right on FER+ until they are predicted as often as shown."""
    ones = np.eye(len(bias))
    for k in np.unique(ferplus.truth):
        shown = ferplus.truth == k
        if ((ferplus.logits + bias).argmax(axis=1)[shown] == k).any():
            continue
        for further in np.arange(0, 10, 0.05):
            raised = bias + further * ones[k]
            if ((ferplus.logits + raised).argmax(axis=1) == k).sum() >= shown.sum():
                print(f"{FERPLUS[k]} is raised by {further:.2f}")
                bias = raised
                break
    return bias


def calibrate(measured: Measured, *, tta: bool, within: float = WITHIN) -> WeightsManifest:
    """The manifest with everything that is chosen and measured."""
    sets = [measured.labelled(name, tta=tta) for name in SUITE]
    chooses = [one.take(first_half(one.clusters)) for one in sets]
    points = operating_points(chooses, within)
    biases = {
        name: with_every_class(chooses[0], prior(frequencies(), point.strength)) for name, point in points.items()
    }
    temperature = best_temperature(chooses, biases["default"])
    priors = {name: np.round(bias / temperature, 4) for name, bias in biases.items()}
    accuracy, balanced = without_priors(sets)
    print(f"without priors, on all images: mean accuracy {accuracy:.1%}, mean balanced {balanced:.1%}")
    for name, point in points.items():
        print(f"{name:8s} strength {point.strength:+.2f}: FER+ {point.ferplus:.2%}, mean balanced {point.mean:.2%}")
    command = COMMAND.format(measured.manifest.name, "--tta" if tta else "--no-tta", within)
    thresholds = {
        name: ConfidenceThreshold(threshold=lowest(chooses, temperature, bias), rule=RULE, measured={})
        for name, bias in priors.items()
    }
    chosen = replace(
        measured.manifest,
        tta=tta,
        temperature=temperature,
        priors={name: tuple(map(float, bias)) for name, bias in priors.items()},
        confidence_thresholds=thresholds,
    )
    return measured_again(replace(measured, manifest=chosen), command)


def measured_again(measured: Measured, command: str) -> WeightsManifest:
    """The manifest with the metrics of what it has chosen already."""
    manifest = measured.manifest
    sets = [measured.labelled(name, tta=manifest.tta) for name in SUITE]
    others = [one.take(~first_half(one.clusters)) for one in sets]
    reported = [measured.labelled(name, tta=manifest.tta) for name, entry in ENTRIES.items()
                if not entry.chooses and name in measured and len(entry.labels) > 3]  # fmt: skip
    priors = {name: np.array(bias) for name, bias in manifest.priors.items()}
    pairs = [*zip(sets, others, strict=True), *((one, None) for one in reported)]
    return replace(
        manifest,
        confidence_thresholds={
            name: replace(
                stated,
                measured=selective(
                    [*others, *reported], stated.threshold, manifest.temperature, priors[name], command
                ),
            )
            for name, stated in manifest.confidence_thresholds.items()
        },
        measured={"command": command}
        | {one.title: metrics_of(one, manifest.temperature, priors["default"], other) for one, other in pairs},
    )


def lowest(sets: Sequence[LabelledLogits], temperature: float, bias: np.ndarray) -> float:
    """The lowest threshold whose certain predictions are right often enough."""
    return lowest_threshold(
        np.concatenate([one.probabilities(temperature, bias) for one in sets]),
        np.concatenate([one.truth for one in sets]),
        ACCURACY,
        weight=np.concatenate([np.full(len(one), 1 / len(one)) for one in sets]),
    )


def selective(
    sets: Sequence[LabelledLogits], threshold: float, temperature: float, bias: np.ndarray, command: str
) -> dict[str, Any]:
    """The metrics of a threshold as the manifest holds them."""
    stated: dict[str, Any] = {"command": command}
    for one in sets:
        metrics = selective_metrics(threshold, one.probabilities(temperature, bias), one.truth, one.clusters)
        stated[one.title] = {name: value for name, value in metrics.items() if name != "risk_coverage"}
    return stated


def metrics_of(
    one: LabelledLogits, temperature: float, bias: np.ndarray, other: LabelledLogits | None = None
) -> dict[str, Any]:
    """Metrics of a source as the manifest holds them; `other`: its half that chose nothing."""
    probabilities = one.probabilities(temperature, bias)
    metrics = classification_metrics(one.truth, probabilities)
    intervals = classification_intervals(one.truth, probabilities, clusters=one.clusters, resamples=1000, seed=0)
    half = {}
    if other is not None:
        of_half = classification_metrics(other.truth, other.probabilities(temperature, bias))
        half["half that chose nothing"] = {
            "images": len(other),
            "accuracy": round(of_half.accuracy, 4),
            "balanced_accuracy": round(of_half.balanced_accuracy, 4),
            "ece": round(of_half.ece, 4),
        }
    return {
        "images": metrics.images,
        "accuracy": round(metrics.accuracy, 4),
        "balanced_accuracy": round(metrics.balanced_accuracy, 4),
        "ece": round(metrics.ece, 4),
        "interval_95": {
            name: [round(intervals[name].low, 4), round(intervals[name].high, 4)]
            for name in ("accuracy", "balanced_accuracy")
        },
        "recall": {
            str(label): [round(row.recall, 3), row.count]
            for label, row in zip(FERPLUS, metrics.classes, strict=True)
            if row.recall is not None
        },
    } | half


def print_metrics(manifest: WeightsManifest) -> None:
    """The chosen numbers and every source, in percent."""
    print(f"{manifest.name} {manifest.identity}, tta {manifest.tta}, temperature {manifest.temperature}")
    for name, stated in manifest.confidence_thresholds.items():
        print(f"{name}: threshold {stated.threshold}")
        for title, values in stated.measured.items():
            if title != "command":
                print(f"  {title}: coverage {values['coverage']:.1%}, accuracy {values['accuracy']}, "
                      f"below {values['accuracy_below_threshold']}")  # fmt: skip
    for title, metrics in manifest.measured.items():
        if title != "command":
            recalls = {label: round(100 * recall) for label, (recall, _) in metrics["recall"].items()}
            accuracies = f"{metrics['accuracy']:.2%} / {metrics['balanced_accuracy']:.2%}"
            half = metrics.get("half that chose nothing")
            print(f"{title}: {accuracies}, ECE {metrics['ece']:.1%}, {half}, {recalls}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--tta", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--within", type=float, default=WITHIN, help="of the best FER+ accuracy, for default")
    parser.add_argument("--keep", action="store_true", help="choose nothing, measure again")
    parser.add_argument("--manifest", action="store_true", help="write everything into the manifest")
    options = parser.parse_args(arguments)
    measured = Measured.of(options.weights, options.logits, options.suite)
    if options.keep:
        manifest = measured_again(measured, KEPT.format(measured.manifest.name))
    else:
        manifest = calibrate(measured, tta=options.tta, within=options.within)
    print_metrics(manifest)
    if options.manifest:
        write_manifest(manifest)


if __name__ == "__main__":
    main()
