"""What following faces and taking over scores change, against each frame predicted on its own.

    python benchmarks/reuse.py --out benchmarks/results/NAME.json [VIDEO ...]

Each video, three seconds of the clip of benchmarks/video.py and the scenes of benchmarks/scenes.py, once with every
face of every frame recognised and once as it is by default. Both are compared with a plain loop of
`Recognizer.predict` over the frames: of the faces that both give, the absolute differences of the probability of a
class and the share of other expressions, of the frame alone and smoothed over the track.
Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import mien
from mien.geometry import Box, box_array, iou
from mien.media.animation import frames_of
from mien.media.frames import FrameSource
from mien.tracking.smoothing import smooth
from output import write_result
from scenes import SCENES
from tracking import SceneSource
from video import write_1080p

SAME_FACE_IOU = 0.4
Rows = dict[tuple[int, int], mien.Face]  # by frame and track


def rows_of(recognizer: mien.Recognizer, source: str | FrameSource, *, reuse: bool) -> Rows:
    frames = recognizer.frames(source, images=False, reuse_scores=reuse)
    return {(frame.frame or 0, face.track or 0): face for frame in frames for face in frame.faces}


def compare(recognizer: mien.Recognizer, source: str | FrameSource) -> dict[str, dict[str, float]]:
    every, default = (rows_of(recognizer, source, reuse=reuse) for reuse in (False, True))
    alone: Rows = {}
    times = {}
    for frame in frames_of(source) if isinstance(source, str) else source:
        times[frame.index] = frame.time_s
        faces = recognizer.predict(frame.image)
        for key in every.keys() & default.keys():
            if key[0] == frame.index and (face := _same(every[key].box, faces)) is not None:
                alone[key] = face
    if not alone:
        raise SystemExit(f"{source if isinstance(source, str) else source.name}: no faces; leave it out")
    return {
        "every face recognised": differences(every, alone, times),
        "default": differences(default, alone, times),
    }


def differences(rows: Rows, alone: Rows, times: dict[int, float]) -> dict[str, float]:
    both = sorted(alone)
    tracks = np.array([track for _, track in both])
    scores = [np.array([_scores(faces[key]) for key in both]) for faces in (alone, rows)]
    smoothed = [smooth([times[frame] for frame, _ in both], tracks, rows) for rows in scores]
    raw, smooth_difference = (np.abs(a - b).max(axis=1) for a, b in (scores, smoothed))
    return {
        "faces": len(both),
        "took over scores, %": _percent([rows[key].scores_frame != key[0] for key in both]),
        "difference, mean": round(float(raw.mean()), 4),
        "difference, largest": round(float(raw.max()), 4),
        "smoothed difference, mean": round(float(smooth_difference.mean()), 4),
        "smoothed difference, largest": round(float(smooth_difference.max()), 4),
        "other expression, %": _percent(scores[0].argmax(axis=1) != scores[1].argmax(axis=1)),
        "other smoothed expression, %": _percent(smoothed[0].argmax(axis=1) != smoothed[1].argmax(axis=1)),
    }


def mean_of(results: Sequence[dict[str, float]]) -> dict[str, float]:
    """Weighted by the faces; of what is called the largest, the largest."""
    weights = [result["faces"] for result in results]
    means = {}
    for name in results[0]:
        values = [result[name] for result in results]
        largest = max(values) if "largest" in name else float(np.average(values, weights=weights))
        means[name] = sum(values) if name == "faces" else round(largest, 4)
    return means


def _same(box: Box, faces: Sequence[mien.Face]) -> mien.Face | None:
    """The face that overlaps a box most, if it does well."""
    overlaps = iou(box_array([box])[0], box_array(face.box for face in faces))
    return faces[int(overlaps.argmax())] if len(faces) and overlaps.max() >= SAME_FACE_IOU else None


def _scores(face: mien.Face) -> tuple[float, ...]:
    return face.expression.values if face.expression else ()


def _percent(flags: list[bool] | np.ndarray) -> float:
    return round(100 * float(np.mean(flags)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recognizer = mien.load(threads=1)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        sources: dict[str, str | FrameSource] = {path.name: str(path) for path in options.videos}
        sources["two photos, 1080p"] = str(write_1080p(Path(folder) / "two.mp4", 3.0))
        sources |= {f"scene {name}": SceneSource(name, list(scene())) for name, scene in SCENES.items()}
        for name, source in sources.items():
            results[name] = compare(recognizer, source)
            print(name, results[name], flush=True)
    runs = ("every face recognised", "default")
    results["all"] = {run: mean_of([result[run] for result in results.values()]) for run in runs}
    write_result(results, options.out)


if __name__ == "__main__":
    main()
