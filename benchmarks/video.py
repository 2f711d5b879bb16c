"""How fast a video is predicted, beside a plain loop over its frames, and what it takes.

    python benchmarks/video.py --out benchmarks/results/NAME.json

1080p, 30 frames a second, two faces, H.264. The plain loop reads each frame with PyAV and calls
`Recognizer.predict` on it, with one thread per core. Ours is `recognizer.frames`: detection every third frame, the
rest followed; decoding, detection and recognition overlap. Both run in turns in one process, so that a busy machine
slows both; ratios count, not times. Then a folder of photos against one call after the other, and peak memory of
videos of two lengths.
Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

import mien
from output import write_result
from predict import photo

FPS = 30


def write_1080p(path: Path, seconds: float) -> Path:
    """Two faces over a wall; the camera sways."""
    wall = photo(2)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for i in range(round(seconds * FPS)):
            image = np.roll(wall, (round(40 * np.sin(i / 19)), round(150 + 140 * np.sin(i / 31))), axis=(0, 1))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def plain_loop(recognizer: mien.Recognizer, path: Path) -> int:
    """Frame by frame; the number of faces."""
    with av.open(str(path)) as file:
        return sum(len(recognizer.predict(frame.to_ndarray(format="rgb24"))) for frame in file.decode(video=0))


def ours(recognizer: mien.Recognizer, path: Path) -> int:
    return sum(len(frame.faces) for frame in recognizer.frames(path, images=False))


def timed(call: Callable[[], int]) -> tuple[int, float, float]:
    """(what it gave, wall seconds, processor seconds)."""
    wall, cpu = time.perf_counter(), time.process_time()
    return call(), time.perf_counter() - wall, time.process_time() - cpu


def speed(folder: Path, *, seconds: float, turns: int) -> dict[str, float]:
    path = write_1080p(folder / "two.mp4", seconds)
    one, many = mien.load(), mien.load(threads=1)
    calls = {
        "plain loop": lambda: plain_loop(one, path),
        "ours": lambda: ours(many, path),
    }
    runs: dict[str, list[tuple[int, float, float]]] = {}
    for _ in range(turns):
        for name, call in calls.items():
            runs.setdefault(name, []).append(timed(call))
    frames = round(seconds * FPS)
    result: dict[str, float] = {}
    for name, times in runs.items():
        result[f"{name}, frames a second"] = round(frames / min(wall for _, wall, _ in times), 1)
        result[f"{name}, processor ms a frame"] = round(1000 * min(cpu for *_, cpu in times) / frames, 1)
        result[f"{name}, faces a frame"] = round(times[0][0] / frames, 2)
    for name in list(calls)[1:]:
        ratios = [plain[1] / mine[1] for plain, mine in zip(runs["plain loop"], runs[name], strict=True)]
        result[f"{name}, times as fast"] = round(float(np.median(ratios)), 2)
    return result


def folder_of_photos(folder: Path, *, photos: int) -> dict[str, float]:
    """Photos through `predict_folder`, and one by one through `predict` of a recognizer that is kept."""
    from PIL import Image

    image = Image.fromarray(photo(1))
    for i in range(photos):
        image.rotate(i / 10, resample=Image.Resampling.BILINEAR).save(folder / f"{i}.jpg", quality=90)
    one, many = mien.load(), mien.load(threads=1)
    paths = sorted(folder.glob("*.jpg"))
    turns = [
        (
            timed(lambda: sum(len(one.predict(path)) for path in paths))[1],
            timed(lambda: many.predict_folder(folder, workers=0).num_rows)[1],
        )
        for _ in range(3)
    ]
    return {
        "one by one, photos a second": round(photos / min(wall for wall, _ in turns), 1),
        "predict_folder, photos a second": round(photos / min(wall for _, wall in turns), 1),
        "times as fast": round(float(np.median([alone / together for alone, together in turns])), 2),
    }


def peak_megabytes(path: Path) -> float:
    """Largest resident size of `mien predict` on a video."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "mien", "predict", str(path), "-o", str(path.with_suffix(".csv")), "--quiet"]
    output = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    ).stdout
    return round(int(output) / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    results["load of the machine before"] = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results["1080p, two faces"] = speed(folder, seconds=options.seconds, turns=options.turns)
        lengths = [options.seconds, 3 * options.seconds]
        results["peak memory, MB"] = {
            f"{length:g} s of 1080p": peak_megabytes(write_1080p(folder / f"{length:g}.mp4", length))
            for length in lengths
        }
        (folder / "photos").mkdir()
        results["folder of 1080p photos"] = folder_of_photos(folder / "photos", photos=round(2 * options.seconds))
    write_result(results, options.out)


if __name__ == "__main__":
    main()
