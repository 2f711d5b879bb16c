"""What taking over scores changes: each video with every face of every frame recognised, and as it is by default.

    python benchmarks/reuse.py --out benchmarks/results/NAME.json VIDEO ...

Of the faces that both runs give: the share that took over scores, and the absolute differences of the probability
of a class, of the frame alone and smoothed over the track. Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mien
from mien.media.animation import frames_of
from mien.tracking.smoothing import smooth
from output import write_result


def rows_of(recognizer: mien.Recognizer, video: Path, *, reuse: bool) -> dict[tuple[int, int], mien.Face]:
    """The faces by frame and track."""
    frames = recognizer.frames(video, images=False, reuse_scores=reuse)
    return {(frame.frame or 0, face.track or 0): face for frame in frames for face in frame.faces}


def compare(recognizer: mien.Recognizer, video: Path) -> dict[str, float]:
    every, reused = (rows_of(recognizer, video, reuse=reuse) for reuse in (False, True))
    both = sorted(every.keys() & reused.keys())
    times = {frame.index: frame.time_s for frame in frames_of(str(video))}
    tracks = np.array([track for _, track in both])
    scores = [np.array([_scores(faces[key]) for key in both]) for faces in (every, reused)]
    smoothed = [smooth([times[frame] for frame, _ in both], tracks, rows) for rows in scores]
    raw, smooth_difference = (np.abs(a - b).max(axis=1) for a, b in (scores, smoothed))
    return {
        "faces": len(both),
        "faces of one run only": len(every.keys() ^ reused.keys()),
        "took over scores, %": _percent([reused[key].scores_frame != key[0] for key in both]),
        "difference, mean": round(float(raw.mean()), 4),
        "difference, largest": round(float(raw.max()), 4),
        "smoothed difference, mean": round(float(smooth_difference.mean()), 4),
        "smoothed difference, largest": round(float(smooth_difference.max()), 4),
        "other expression, %": _percent(scores[0].argmax(axis=1) != scores[1].argmax(axis=1)),
        "other smoothed expression, %": _percent(smoothed[0].argmax(axis=1) != smoothed[1].argmax(axis=1)),
    }


def _scores(face: mien.Face) -> tuple[float, ...]:
    return face.expression.values if face.expression else ()


def _percent(flags: list[bool] | np.ndarray) -> float:
    return round(100 * float(np.mean(flags)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recognizer = mien.load(threads=1)
    results = {}
    for video in options.videos:
        results[video.name] = compare(recognizer, video)
        print(video.name, results[video.name], flush=True)
    write_result(results, options.out)


if __name__ == "__main__":
    main()
