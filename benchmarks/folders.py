"""Folders of small images: whether throughput per core and memory stay the same from a hundred images to many.

    python benchmarks/folders.py --images 1000 10000 --out benchmarks/results/NAME.json

250 x 250, one face, JPEG; predicted by `mien predict FOLDER -o TABLE`, a fresh process each, journal and table
included. The processor time of a run with a single image is taken off, and what is left divided by the images: on a
machine that others use, this tells more than seconds. Beside it, in one process and in turns, one call of `predict`
after the other against `predict_many` without a table, both on one thread.
Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import mien
from mien.weights.parity import FILE
from output import write_result
from predict import machine

SIDE_PX, DIFFERENT = 250, 200


def images(folder: Path, count: int) -> Path:
    """So many files; after the first `DIFFERENT` ones, links to them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with Image.open(FILE) as both:
        side = both.height
        faces = [both.crop((x, 0, x + side, side)).convert("RGB") for x in range(0, both.width - side + 1, side)]
    for i in range(count):
        path = folder / f"{i:06}.jpg"
        if i >= DIFFERENT:
            os.link(folder / f"{i % DIFFERENT:06}.jpg", path)
            continue
        size = int(rng.integers(170, 245))
        image = Image.new("RGB", (SIDE_PX, SIDE_PX), (120, 124, 128))
        image.paste(faces[i % len(faces)].resize((size, size)), ((SIDE_PX - size) // 2,) * 2)
        image.rotate(float(rng.uniform(-8, 8)), Image.Resampling.BILINEAR).save(path, quality=92)
    return folder


def command(folder: Path, suffix: str) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of `mien predict`."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter();"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    with tempfile.TemporaryDirectory() as name:
        predict = [sys.executable, "-m", "mien", "predict", str(folder), "-o", f"{name}/table{suffix}", "--quiet"]
        done = subprocess.run([sys.executable, "-c", code, *predict], capture_output=True, text=True, check=True)
    seconds, processor_s, peak_mb = map(float, done.stdout.split())
    return {"seconds": seconds, "processor_s": processor_s, "peak MB": round(peak_mb, 1)}


def together(folder: Path, rounds: int) -> dict[str, float]:
    """Processor milliseconds an image, the best of the rounds: one after the other, and `predict_many`."""
    recognizer, paths = mien.load(threads=1), sorted(folder.iterdir())[:DIFFERENT]
    calls: dict[str, Callable[[], object]] = {
        "one after the other": lambda: [recognizer.predict(path) for path in paths],
        "predict_many": lambda: recognizer.predict_many(paths, workers=1),
    }
    best = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], (time.process_time() - start) * 1000 / len(paths))
    return {name: round(value, 2) for name, value in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", default=".csv", help="ending of the table")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result: dict[str, object] = {
        "command": f"python benchmarks/folders.py --images {' '.join(map(str, options.images))}",
        "machine": machine(),
    }
    with tempfile.TemporaryDirectory() as name:
        start_s = command(images(Path(name) / "one", 1), options.table)["processor_s"]
        for count in options.images:
            folder = images(Path(name) / str(count), count)
            used = command(folder, options.table)
            processor_ms = (used["processor_s"] - start_s) * 1000 / count
            result[f"{count} images"] = {
                "processor ms an image": round(processor_ms, 2),
                "images a second and core": round(1000 / processor_ms, 1),
                "images a second as it was": round(count / used["seconds"], 1),
                "peak MB": used["peak MB"],
            }
        result["processor ms an image, one thread"] = together(folder, options.rounds)
    write_result(result, options.out)


if __name__ == "__main__":
    main()
