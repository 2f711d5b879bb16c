"""Judge the shipped weights through the whole pipeline, on images held out.

    python -m research.default.evaluate --ferplus ferplus.zip --muxspace muxspace.zip --manifest

FER+ validation chose the operating point; the muxspace people chose nothing. Both are read twice: as face
crops (`--no-detect`) and with detection, where an image without a face counts as wrong. Intervals: 95 %,
1,000 bootstrap draws of images (FER+) or people (muxspace), seed 0. `--manifest` writes the figures
into the weights manifest.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import mien
from mien.labels import FERPLUS
from mien.pipeline.detectors import DEFAULT_DETECTOR
from mien.weights.manifest import load_manifest, write_manifest
from research.held_out import HeldOutSet, balanced_sample, ferplus_validation, muxspace_people


def read(recognizer: mien.Recognizer, kept: HeldOutSet, *, detect: bool) -> np.ndarray:
    """Probabilities (N, 8) of the largest face; zeros where none was found."""
    found = np.zeros((len(kept.names), len(FERPLUS)))
    with ThreadPoolExecutor(2) as pool:
        for i, faces in enumerate(pool.map(partial(recognizer.predict, detect=detect), kept.images())):
            if faces and faces[0].expression is not None:
                found[i] = faces[0].expression.values
    return found


def figures(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy over the classes present, expected calibration error over 15 bins."""
    seen = probabilities.sum(axis=1) > 0
    guess = np.where(seen, probabilities.argmax(axis=1), -1)
    right = guess == truth
    recall = [right[truth == label].mean() for label in np.unique(truth)]
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).sum()
        for b in np.unique(bins[seen])
    ]
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean(recall)),
        "calibration_error": float(np.sum(gaps) / max(seen.sum(), 1)),
        "found": float(seen.mean()),
    }


def intervals(probabilities: np.ndarray, kept: HeldOutSet) -> dict[str, list[float]]:
    """95 % bootstrap intervals of accuracy and balanced accuracy, drawing whole groups."""
    rng = np.random.default_rng(0)
    names, members = np.unique(kept.groups, return_inverse=True)
    rows_of = [np.flatnonzero(members == i) for i in range(len(names))] if len(names) < len(members) else None
    draws = []
    for _ in range(1000):
        picked = rng.integers(len(names), size=len(names))
        rows = np.concatenate([rows_of[i] for i in picked]) if rows_of else picked
        result = figures(probabilities[rows], kept.truth[rows])
        draws.append((result["accuracy"], result["balanced_accuracy"]))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0).round(4)
    return {"accuracy": [float(low[0]), float(high[0])], "balanced_accuracy": [float(low[1]), float(high[1])]}


def report(title: str, probabilities: np.ndarray, kept: HeldOutSet) -> dict[str, object]:
    """Print one block and return its numbers."""
    result: dict[str, object] = {k: round(v, 4) for k, v in figures(probabilities, kept.truth).items()}
    result["interval_95"] = intervals(probabilities, kept)
    guess = np.where(probabilities.sum(axis=1) > 0, probabilities.argmax(axis=1), -1)
    result["recall"] = {
        str(label): [round(float((guess[kept.truth == i] == i).mean()), 3), int((kept.truth == i).sum())]
        for i, label in enumerate(FERPLUS)
        if (kept.truth == i).any()
    }
    result["images"] = len(kept.truth)
    print(title, json.dumps(result), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, help="who finds the faces, by name")
    parser.add_argument("--manifest", action="store_true", help="write the figures into the manifest")
    options = parser.parse_args()
    ferplus, people = ferplus_validation(options.ferplus), muxspace_people(options.muxspace)
    sample = balanced_sample(people, per_class=60, seed=0)
    measured: dict[str, object] = {
        "command": "python -m research.default.evaluate --ferplus ferplus.zip --muxspace muxspace.zip"
    }
    for priors in ("default", "natural", "balanced"):
        recognizer = mien.load(options.weights, priors=priors, threads=1)
        result = report(f"FER+ validation, crops, {priors}:", read(recognizer, ferplus, detect=False), ferplus)
        measured[f"ferplus validation, crops, {priors}"] = result
    recognizer = mien.load(options.weights, detector=options.detector, threads=1)
    found = read(recognizer, ferplus, detect=True)
    measured["ferplus validation, detected"] = report("FER+ validation, detected:", found, ferplus)
    for title, kept, crop in (
        ("muxspace people, at most 60 of a class, crops", sample, True),
        ("muxspace people, at most 60 of a class, detected", sample, False),
        ("muxspace people, detected", people, False),
    ):
        measured[title] = report(f"{title}:", read(recognizer, kept, detect=not crop), kept)
    if options.manifest:
        write_manifest(replace(load_manifest(options.weights), measured=measured))


if __name__ == "__main__":
    main()
