"""Instructions of the hot paths, recorded and compared: times on shared machines lie, counts hardly do.

    python benchmarks/instructions.py --out benchmarks/results/NAME.json
    python benchmarks/instructions.py --against benchmarks/results/NAME.json --most 1.02

Each path runs in a process of its own, once with few and once with many repetitions; the difference is the path's,
without start and load. Counted by `perf stat -e instructions:u` where the kernel allows it, else by valgrind
(callgrind; it knows no AVX-512 and runs other kernels, so its counts compare only with its own). Exit code 1 where
a path takes more than `--most` times its recorded count.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from output import write_result

FEW, MANY = 2, 6

SETUP = """
import sys
import numpy as np
import mien
from mien.preprocess import Preprocess, warp
from mien.faces.quality import face_quality
sys.path.insert(0, {folder!r})
from predict import photo
wall = photo(1)
"""
PATHS = {  # name: set up, repeated
    "warp of a face": ("matrix = np.array([[0.3, 0.03, -200.0], [-0.03, 0.3, -100.0]])", "warp(wall, matrix, 96)"),
    "normalise 16 crops": (
        "crops, inputs = np.zeros((16, 96, 96, 3), np.uint8), Preprocess(size_px=96)",
        "inputs.normalise(crops)",
    ),
    "detection, 1080p": ("recognizer = mien.load(threads=1)", "recognizer.detections(wall)"),
    "photo with one face, float32": (
        "recognizer = mien.load(threads=1, precision='float32')",
        "recognizer.predict(wall)",
    ),
    "photo with one face, int8": (
        "recognizer = mien.load(threads=1, precision='int8')",
        "recognizer.predict(wall)",
    ),
}


def counter() -> str:
    """ "perf" or "valgrind"; raises SystemExit where there is neither."""
    if shutil.which("perf"):
        done = subprocess.run(["perf", "stat", "-e", "instructions:u", "true"], capture_output=True, text=True)
        if done.returncode == 0 and "not supported" not in done.stderr:
            return "perf"
    if shutil.which("valgrind"):
        return "valgrind"
    raise SystemExit("neither perf (allowed: kernel.perf_event_paranoid) nor valgrind is here; install one")


def instructions(code: str, tool: str) -> int:
    """Of a fresh process."""
    command = [sys.executable, "-c", code]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        if tool == "perf":
            command = ["perf", "stat", "-x", ",", "-e", "instructions:u", *command]
        else:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *command]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed: {done.stderr[-500:]}")
    counted = (
        re.search(r"^(\d+),", done.stderr, re.M) if tool == "perf" else re.search(r"Collected : (\d+)", done.stderr)
    )
    if counted is None:
        raise SystemExit(f"no count in: {done.stderr[-500:]}")
    return int(counted[1])


def measured(name: str, tool: str) -> int:
    """Instructions of one repetition of a path."""
    prepare, repeated = PATHS[name]
    start = SETUP.format(folder=str(Path(__file__).parent)) + prepare
    counts = [instructions(f"{start}\nfor _ in range({times}):\n    {repeated}", tool) for times in (FEW, MANY)]
    return (counts[1] - counts[0]) // (MANY - FEW)


def compared(now: dict[str, int], before: dict[str, int], most: float) -> list[str]:
    """A line for each path that takes too many."""
    return [
        f"{name}: {count:,} instructions, {count / before[name]:.3f} times the recorded {before[name]:,}"
        for name, count in now.items()
        if name in before and count > most * before[name]
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", nargs="+", choices=list(PATHS), default=list(PATHS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--most", type=float, default=1.02)
    options = parser.parse_args(arguments)
    tool = counter()
    counts = {name: measured(name, tool) for name in options.paths}
    write_result(
        {"command": "python benchmarks/instructions.py", "counter": tool, "instructions": counts}, options.out
    )
    if options.against is None:
        return 0
    recorded = json.loads(options.against.read_text())
    if recorded["counter"] != tool:
        raise SystemExit(f"{options.against} was counted by {recorded['counter']}, this machine has {tool}")
    worse = compared(counts, recorded["instructions"], options.most)
    print("\n".join(worse) or "no path takes more")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
