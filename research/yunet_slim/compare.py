"""What expressions are worth when different detectors find the faces, and who still finds them in worse images.

    python -m research.yunet_slim.compare --ferplus ferplus.zip --muxspace muxspace.zip --detectors centerface yunet_slim

Through the whole pipeline; an image without a face counts as wrong. The difference to the first detector: 95 %,
1,000 bootstrap draws of images (FER+) or people (muxspace), seed 0, the same for both. Worse images: those of
`mien evaluate --under all`, of some muxspace people, placed by the first detector: in how many a face is found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mien
from mien.evaluation.corruptions import FaceRegion, corrupt, select_corruptions, with_severities
from mien.pipeline.detectors import detector_called
from mien.pipeline.recognizer import default_landmarker
from research.default.evaluate import figures, read
from research.held_out import HeldOutSet, ferplus_validation, muxspace_people


def right(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mask (N,) of the images whose expression was called by its name."""
    return (probabilities.sum(axis=1) > 0) & (probabilities.argmax(axis=1) == truth)


def gain(ours: np.ndarray, theirs: np.ndarray, kept: HeldOutSet) -> tuple[float, float, float]:
    """Difference of two accuracies and its interval, drawing whole groups."""
    names, members = np.unique(kept.groups, return_inverse=True)
    sums = np.bincount(members, ours.astype(float) - theirs, minlength=len(names))
    sizes = np.bincount(members, minlength=len(names))
    picked = np.random.default_rng(0).integers(len(names), size=(1000, len(names)))
    low, high = np.percentile(sums[picked].sum(axis=1) / sizes[picked].sum(axis=1), [2.5, 97.5])
    return float(ours.mean() - theirs.mean()), float(low), float(high)


def found_under(detectors: list[str], kept: HeldOutSet, count: int) -> None:
    """Print the share of images in which each detector finds a face, under everything that can happen to them."""
    rows = np.random.default_rng(2).choice(len(kept.names), count, replace=False)
    images, names = list(kept.at(rows)), [kept.names[row] for row in rows]
    finders = [detector_called(name, threads=1) for name in detectors]
    landmarker = default_landmarker(threads=1)
    places = []
    for image in images:
        faces = finders[0].detect(image)
        places.append(FaceRegion.of(image, landmarker.locate(image, [faces[0].box])[0] if faces else None))
    shares = []
    for corruption, severity in with_severities(select_corruptions("all")):
        worse = [
            corrupt(image, corruption, severity, region=place, name=name)
            for image, place, name in zip(images, places, names, strict=True)
        ]
        shares.append([np.mean([len(finder.detect(image)) > 0 for image in worse]) for finder in finders])
        print(f"{corruption.name}, {severity}:", *(f"{share:.1%}" for share in shares[-1]), flush=True)
    print(f"mean over {len(shares)} versions:", *(f"{share:.1%}" for share in np.mean(shares, axis=0)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--detectors", nargs="+", default=["centerface", "yunet-slim"])
    parser.add_argument("--weights", default="default")
    parser.add_argument("--worse", type=int, default=240, help="images of muxspace people to make worse")
    parser.add_argument("--only-worse", action="store_true", help="no expressions")
    options = parser.parse_args()
    found_under(options.detectors, muxspace_people(options.muxspace), options.worse)
    if options.only_worse:
        return
    for title, kept in (
        ("FER+ validation", ferplus_validation(options.ferplus)),
        ("muxspace people", muxspace_people(options.muxspace)),
    ):
        first = None
        for detector in options.detectors:
            found = read(mien.load(options.weights, detector=detector, threads=1), kept, detect=True)
            numbers = figures(found, kept.truth)
            hits = right(found, kept.truth)
            first = hits if first is None else first
            more, low, high = gain(hits, first, kept)
            print(
                f"{title}, {len(kept.truth)} images, {detector}: found {numbers['found']:.2%}, "
                f"accuracy {numbers['accuracy']:.2%}, balanced accuracy {numbers['balanced_accuracy']:.2%}; "
                f"accuracy to {options.detectors[0]}'s {100 * more:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
