"""What face detectors are worth to expressions, and how many corrupted faces they still detect.

    python -m research.yunet_slim.compare --ferplus ferplus.zip --muxspace muxspace.zip

Expressions through the whole pipeline; an image without a detection counts as wrong. Differences to the first
detector: 95 %, 1,000 paired bootstrap resamples of images (FER+) or people (muxspace), seed 0. Corruptions: those
of `mien evaluate --corruptions all`, on some muxspace people, with the face region of the first detector.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mien
from mien.evaluation.corruptions import FaceRegion, corrupt, select_corruptions, with_severities
from mien.metrics import classification_metrics, paired_differences
from mien.pipeline.detectors import detector_called
from mien.pipeline.recognizer import default_landmarker
from research.held_out import HeldOutSet, ferplus_validation, muxspace_people, probabilities


def print_detection_rates(detectors: list[str], held_out: HeldOutSet) -> None:
    """The share of images in which each detector detects a face, for every corruption and severity."""
    networks, landmarker = [detector_called(name, threads=1) for name in detectors], default_landmarker(threads=1)
    images, names, regions = list(held_out.images()), held_out.samples.path.tolist(), []
    for image in images:
        faces = networks[0].detect(image)
        regions.append(FaceRegion.of(image, landmarker.locate(image, [faces[0].box])[0] if faces else None))
    rates = []
    for corruption, severity in with_severities(select_corruptions("all")):
        corrupted = [
            corrupt(image, corruption, severity, region=region, name=name)
            for image, region, name in zip(images, regions, names, strict=True)
        ]
        rates.append([np.mean([len(network.detect(image)) > 0 for image in corrupted]) for network in networks])
        print(f"{corruption.name}, {severity}:", *(f"{rate:.1%}" for rate in rates[-1]), flush=True)
    print(f"mean over {len(rates)} severities:", *(f"{rate:.1%}" for rate in np.mean(rates, axis=0)), flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--detectors", nargs="+", default=["centerface", "yunet-slim"])
    parser.add_argument("--weights", default="default")
    parser.add_argument("--corrupted", type=int, default=240, help="images of muxspace people to corrupt")
    parser.add_argument("--only-corrupted", action="store_true", help="no expressions")
    options = parser.parse_args(arguments)
    people = muxspace_people(options.muxspace)
    rows = np.random.default_rng(2).choice(len(people), options.corrupted, replace=False)
    print_detection_rates(options.detectors, people.take(rows))
    for held_out in () if options.only_corrupted else (ferplus_validation(options.ferplus), people):
        first = None
        for detector in options.detectors:
            recognizer = mien.load(options.weights, detector=detector, threads=1)
            predicted = probabilities(recognizer, held_out, detect=True)
            first = predicted if first is None else first
            metrics = classification_metrics(held_out.truth, predicted)
            difference = paired_differences(
                held_out.truth, predicted, first, clusters=held_out.clusters, resamples=1000
            )["accuracy"]
            print(
                f"{held_out.title}, {metrics.images} images, {detector}: detected "
                f"{metrics.predicted / metrics.images:.2%}, accuracy {metrics.accuracy:.2%}, balanced accuracy "
                f"{metrics.balanced_accuracy:.2%}; accuracy against {options.detectors[0]} "
                f"{100 * difference.value:+.2f} ({100 * difference.low:+.2f} to {100 * difference.high:+.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
