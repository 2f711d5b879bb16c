"""Identity switches and IDF1 of our tracks against a plain IoU tracker, on scenes with known faces.

    python benchmarks/tracking.py --out benchmarks/results/NAME.json

The plain tracker detects in every frame and gives a face the number of the box before that it overlaps most (IoU of
at least 0.3, boxes unseen for up to 10 frames). Ours is `mien.stream` as it is: detection every 0.1 s. Metrics by
motmetrics, a face matched from an IoU of 0.4. Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import mien
from mien.geometry import Box, box_array, iou
from mien.media.frames import Frame
from scenes import FPS, SCENES, SceneFrame

METRICS = ["idf1", "num_switches", "num_fragmentations", "num_misses", "num_false_positives", "num_objects"]
PEOPLE = ["astronaut", "grace_hopper"]
Tracked = list[list[tuple[int, Box]]]  # per frame: number and box


class SceneSource:
    """A `FrameSource`."""

    def __init__(self, name: str, frames: Sequence[SceneFrame]) -> None:
        self.name, self._frames = name, frames

    def __iter__(self) -> Iterator[Frame]:
        yield from (Frame(i, i / FPS, frame.image) for i, frame in enumerate(self._frames))


def ours(recognizer: mien.Recognizer, name: str, frames: Sequence[SceneFrame]) -> Tracked:
    results = recognizer.frames(SceneSource(name, frames), images=False)
    return [[(int(face.track or 0), face.box) for face in frame.faces] for frame in results]


def plain_iou(recognizer: mien.Recognizer, frames: Sequence[SceneFrame]) -> Tracked:
    tracks: dict[int, tuple[np.ndarray, int]] = {}
    result: Tracked = []
    for i, frame in enumerate(frames):
        tracks = {number: (box, seen) for number, (box, seen) in tracks.items() if i - seen <= 10}
        of_frame: list[tuple[int, Box]] = []
        for detection in recognizer.detections(frame.image):
            (box,) = box_array([detection.box])
            free = [number for number in tracks if number not in [n for n, _ in of_frame]]
            overlaps = iou(box, np.array([tracks[n][0] for n in free]).reshape(-1, 4))
            if len(free) and overlaps.max() >= 0.3:
                number = free[int(overlaps.argmax())]
            else:
                number = 1 + max([n for row in (*result, of_frame) for n, _ in row], default=-1)
            tracks[number] = (box, i)
            of_frame.append((number, detection.box))
        result.append(of_frame)
    return result


def measure(frames: Sequence[SceneFrame], tracked: Tracked) -> dict[str, float]:
    import motmetrics

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for frame, faces in zip(frames, tracked, strict=True):
            truth = np.array([box for _, box in frame.faces], dtype=float).reshape(-1, 4)
            boxes = box_array(box for _, box in faces)
            distances = np.array([1 - iou(box, boxes) for box in truth]).reshape(len(truth), len(boxes))
            distances[distances > 0.6] = np.nan
            accumulator.update(
                [PEOPLE.index(name) for name, _ in frame.faces], [number for number, _ in faces], distances
            )
        summary = motmetrics.metrics.create().compute(accumulator, metrics=METRICS, name="scene")
    return {name: round(float(summary[name].iloc[0]), 4) for name in METRICS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", nargs="*", default=list(SCENES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recognizer = mien.load(threads=1)
    results = {}
    for name in options.scenes:
        frames = list(SCENES[name]())
        results[name] = {
            "ours": measure(frames, ours(recognizer, name, frames)),
            "plain IoU": measure(frames, plain_iou(recognizer, frames)),
        }
        print(name, json.dumps(results[name]), flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
