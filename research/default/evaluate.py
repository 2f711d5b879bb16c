"""Metrics of expression weights on held-out images, through the whole pipeline.

    python -m research.default.evaluate --ferplus ferplus.zip --muxspace muxspace.zip --manifest

FER+ validation was used to choose the operating points; the muxspace people chose nothing. Both are predicted
without and with detection; an image without a detected face counts as wrong. Intervals: 95 %, 1,000 bootstrap
resamples of images (FER+) or people (muxspace), seed 0. `--manifest` writes the metrics into the weights manifest.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import mien
from mien.labels import FERPLUS
from mien.metrics import classification_intervals, classification_metrics
from mien.pipeline.detectors import DEFAULT_DETECTOR
from mien.weights.manifest import load_manifest, write_manifest
from research.held_out import HeldOutSet, by_class, ferplus_validation, muxspace_people, probabilities

COMMAND = "python -m research.default.evaluate --ferplus ferplus.zip --muxspace muxspace.zip"


def metrics_of(predicted: np.ndarray, held_out: HeldOutSet) -> dict[str, Any]:
    """Metrics of probabilities (N, 8), as the manifest holds them."""
    metrics = classification_metrics(held_out.truth, predicted)
    intervals = classification_intervals(
        held_out.truth, predicted, clusters=held_out.clusters, resamples=1000, seed=0
    )
    return {
        "images": metrics.images,
        "detected": round(metrics.predicted / metrics.images, 4),
        "accuracy": round(metrics.accuracy, 4),
        "balanced_accuracy": round(metrics.balanced_accuracy, 4),
        "ece": round(metrics.ece, 4),
        "interval_95": {
            name: [round(intervals[name].low, 4), round(intervals[name].high, 4)]
            for name in ("accuracy", "balanced_accuracy")
        },
        "recall": {
            str(label): [round(of_class.recall, 3), of_class.count]
            for label, of_class in zip(FERPLUS, metrics.classes, strict=True)
            if of_class.recall is not None
        },
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--manifest", action="store_true", help="write the metrics into the manifest")
    options = parser.parse_args(arguments)
    ferplus, people = ferplus_validation(options.ferplus), muxspace_people(options.muxspace)
    sample = people.take(np.concatenate([rows[:60] for rows in by_class(people)]))
    measured: dict[str, Any] = {"command": COMMAND}

    def measure(title: str, held_out: HeldOutSet, *, detect: bool, priors: str = "default") -> None:
        recognizer = mien.load(options.weights, priors=priors, detector=options.detector, threads=1)
        measured[title] = metrics_of(probabilities(recognizer, held_out, detect=detect), held_out)
        print(title, json.dumps(measured[title]), flush=True)

    for priors in ("default", "natural", "balanced"):
        measure(f"FER+ validation, faces, priors {priors}", ferplus, detect=False, priors=priors)
    measure("FER+ validation, detected", ferplus, detect=True)
    measure("muxspace people, at most 60 of a class, faces", sample, detect=False)
    measure("muxspace people, at most 60 of a class, detected", sample, detect=True)
    measure("muxspace people, detected", people, detect=True)
    if options.manifest:
        write_manifest(replace(load_manifest(options.weights), measured=measured))


if __name__ == "__main__":
    main()
