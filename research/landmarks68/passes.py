"""Whether a second pass of the landmark network helps faces that the first saw nearly upright and in size.

    python -m research.landmarks68.passes --data DIR

For 300 images of each entry of the suite: how many faces make do with one pass, how far a second and a third move
the points of these (eye distances), how many of their most probable expressions change, and the accuracy with one,
two and three passes. `DIR` as for `research.fer.suite`. Five minutes on one core.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

import mien
from mien.faces.landmarks import BOX_GROWTH, Landmarks68Onnx, is_close
from mien.geometry import Box, box_onto_square, five_points
from mien.labels import FERPLUS
from mien.pipeline.detectors import DEFAULT_DETECTOR, DETECTION_THRESHOLD, detector_called
from mien.pipeline.loading import default_landmarker
from mien.preprocess import Preprocess
from research.fer.suite import ENTRIES, INPUTS, Entry

IMAGES = 300  # of each entry
SEED = 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    recognizer = mien.load(threads=1, precision="float32")
    for name, entry in ENTRIES.items():
        passes, truth, moved, images = _faces(entry, options.data)
        outputs = [recognizer.network.probabilities(crops) for crops in passes]
        columns = [FERPLUS.index(label) for label in entry.labels]
        guesses = [np.array(columns)[output[:, columns].argmax(axis=1)] for output in outputs]
        right = " / ".join(f"{(guess == truth).mean():.1%}" for guess in guesses)
        changes = [(a != b).mean() for a, b in pairwise(guesses)]
        print(
            f"{name}: {len(truth)} of {images} close; moved by {np.median(moved[0]):.3f}, "
            f"{np.median(moved[1]):.3f}; changed {changes[0]:.1%}, {changes[1]:.1%}; right {right}",
            flush=True,
        )


def _faces(entry: Entry, data: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, int]:
    """Close faces: aligned after each pass 3 x (N, S, S, 3), their classes (N,), the moves (2, N); of how many."""
    detector = detector_called(DEFAULT_DETECTOR, threshold=DETECTION_THRESHOLD, tiles=False, threads=1)
    landmarker = default_landmarker(threads=1)
    assert isinstance(landmarker, Landmarks68Onnx)
    landmarker.passes = 1
    size_px = landmarker.inputs.size_px
    upright = Preprocess(size_px=size_px)
    samples = entry.rows(data / f"{entry.archive}.zip")
    crops, truth, moves = [], [], []
    rows = np.random.default_rng(SEED).permutation(len(samples))[:IMAGES].tolist()
    for row in rows:
        image = samples.image(row)
        detections = detector.detect(image) if entry.detect else []
        boxes = [face.box for face in detections] or [Box(0, 0, *image.shape[1::-1])]
        box = max(boxes, key=lambda box: box.area)
        points = [landmarker.locate(image, [box])]
        seen = box_onto_square(box.squared().grown(BOX_GROWTH), size_px)
        if not is_close(seen, upright.matrix(points[0][0]), size_px):
            continue
        for _ in range(2):
            points.append(landmarker.refine([image], points[-1]))
        crops.append([INPUTS.crop(image, faces[0]) for faces in points])
        truth.append(FERPLUS.index(samples.labels[samples.label[row]]))
        eyes = five_points(points[1][0])[:2]
        steps = [np.linalg.norm(a - b, axis=2).mean() for a, b in pairwise(points)]
        moves.append(np.array(steps) / np.hypot(*(eyes[1] - eyes[0])))
    return (
        [np.stack(each) for each in zip(*crops, strict=True)],
        np.array(truth),
        np.stack(moves, axis=1),
        len(rows),
    )


if __name__ == "__main__":
    main()
