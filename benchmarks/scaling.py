"""How prediction on Ray scales with its workers on this machine, against the plain loop, in one run.

    python benchmarks/scaling.py --images 120 --out benchmarks/results/NAME.json

The same images are predicted by one and two workers in turns (1 2 2 1 ...). Starting Ray and loading the weights
are left out: timed from the first part that is done to the last. Ratios are to one worker. Nothing here decides
pass or fail.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import mien
from output import write_result
from predict import machine, photo


def photos(folder: Path, count: int) -> None:
    """JPEGs of 640 x 360 with one and with eight faces, all different."""
    rng = np.random.default_rng(0)
    scenes = [Image.fromarray(photo(faces)).resize((640, 360)) for faces in (1, 8)]
    for i in range(count):
        right, down = map(int, rng.integers(-8, 9, 2))
        scenes[i % 4 == 0].rotate(0, translate=(right, down)).save(folder / f"{i:05}.jpg", quality=90)


def worker_mib() -> float:
    """Resident memory of the largest Ray worker on this machine."""
    most = 0.0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::"):
                lines = (process / "status").read_text().splitlines()
                most = max(most, *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")))
        except OSError:  # it has just ended
            continue
    return most


def images_per_s(folder: Path, workers: int, part: int, temp_dir: Path) -> tuple[float, float, float]:
    """Images a second between the first and the last part, seconds before the first, and MiB of a worker."""
    moments: list[tuple[float, int]] = []
    memory: list[float] = []
    out = temp_dir / "out"

    def progress(done: int, _: int | None) -> None:
        moments.append((time.perf_counter(), done))
        memory.append(worker_mib())

    mien.predict_collection(
        folder, out, workers=workers, images_per_part=part, overwrite=True, temp_dir=temp_dir,
        progress=progress,
    )  # fmt: skip
    shutil.rmtree(out)
    begun, *rest = [moment for moment in moments if moment[1] or moment is moments[0]]
    first, last = rest[0], rest[-1]
    return (last[1] - first[1]) / (last[0] - first[0]), first[0] - begun[0], max(memory)


def cpu_ms() -> dict[str, float]:
    """Milliseconds of CPU time an image on one thread, from its JPEG file: hardly affected by a busy machine."""
    recognizer, times = mien.load(threads=1), dict[str, float]()
    for width, faces in ((640, 1), (1920, 1), (1920, 8), (4032, 1)):
        file = io.BytesIO()
        Image.fromarray(photo(faces)).resize((width, width * 9 // 16)).save(file, "JPEG", quality=90)
        recognizer.predict(file.getvalue())
        start = time.process_time()
        for _ in range(20):
            recognizer.predict(file.getvalue())
        name = f"{width} x {width * 9 // 16}, {faces} face{'s' * (faces > 1)}"
        times[name] = round((time.process_time() - start) * 1000 / 20, 1)
    return times


def plain_per_s(folder: Path, count: int) -> float:
    """Images a second of a loop over `Recognizer.predict` on one thread."""
    recognizer = mien.load(threads=1)
    paths = sorted(folder.iterdir())[:count]
    recognizer.predict(paths[0])
    start = time.perf_counter()
    for path in paths:
        recognizer.predict(path)
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--images-per-part", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="each times one and two workers twice")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"plain loop": [], "1 worker": [], "2 workers": []}
    starts: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory(prefix="m") as name:
        folder, temp = Path(name) / "images", Path(name) / "r"
        folder.mkdir()
        temp.mkdir()
        photos(folder, options.images)
        for _ in range(options.rounds):
            rates["plain loop"].append(plain_per_s(folder, min(40, options.images)))
            for workers in (1, 2, 2, 1):
                rate, start, mib = images_per_s(folder, workers, options.images_per_part, temp)
                rates[f"{workers} worker{'s' * (workers > 1)}"].append(rate)
                starts.append(start)
                memory.append(mib)
    median = {name: round(statistics.median(values), 2) for name, values in rates.items()}
    result = {
        "command": f"python benchmarks/scaling.py --images {options.images} --rounds {options.rounds} "
        f"--images-per-part {options.images_per_part}",
        "machine": machine(),
        "images_per_s": median,
        "ratio to one worker": {name: round(rate / median["1 worker"], 2) for name, rate in median.items()},
        "CPU ms an image, one thread": cpu_ms(),
        "MiB of a worker": round(max(memory)),
        "seconds before the first part": round(statistics.median(starts), 1),
        "all": {name: [round(value, 2) for value in values] for name, values in rates.items()},
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
