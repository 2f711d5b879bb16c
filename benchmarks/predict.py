"""How fast prediction is on this machine, and what it takes.

    python benchmarks/predict.py --out benchmarks/results/NAME.json

Cold start of `mien --help` and of a first answer, the networks alone, a 1080p photo with one and with eight
faces, peak memory, installed size; and side by side in the same run what the detector at full resolution costs, as
most tools run theirs, and CenterFace (the extra `centerface`). Times are medians in milliseconds. Nothing here
decides pass or fail.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

import mien
from mien.faces.landmarks import Landmarks68Onnx
from mien.faces.yunet import YuNetDetector
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import detector_called
from mien.weights.manifest import load_manifest
from output import write_result

EXAMPLES = Path(__file__).parents[1] / "examples"


def milliseconds(call: Callable[[], object], *, runs: int = 30, warm: int = 3) -> float:
    """Median wall time of a call."""
    for _ in range(warm):
        call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(float(np.median(times)) * 1000, 2)


def cold(*arguments: str) -> float:
    """Median wall time of a fresh process."""
    command = [sys.executable, "-m", "mien", *arguments]
    return milliseconds(lambda: subprocess.run(command, capture_output=True, check=True), runs=7, warm=1)


def peak_megabytes(*arguments: str) -> float:
    """Largest resident size of a fresh process."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, sys.executable, "-m", "mien", *arguments]
    return round(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024, 1)


def peak_of_photo(image: np.ndarray) -> float:
    """The same for an image that is not a file yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        Image.fromarray(image).save(path, quality=90)
        return peak_megabytes("predict", str(path))


def photo(faces: int) -> np.ndarray:
    """1920 x 1080 with this many faces, 70 to 130 pixels wide, on a grey wall."""
    images = [Image.open(EXAMPLES / name) for name in ("astronaut.jpg", "grace_hopper.jpg")]
    wall = Image.new("RGB", (1920, 1080), (120, 124, 128))
    for i in range(faces):
        image = images[i % 2]
        scale = 520 / image.height if faces > 1 else 900 / image.height
        wall.paste(image.resize((round(image.width * scale), round(image.height * scale))),
                   (20 + i % 4 * 475, 10 + i // 4 * 535))  # fmt: skip
    return np.asarray(wall)


def networks() -> dict[str, dict[str, float]]:
    """Milliseconds per face of each network alone, input already made."""
    rng = np.random.default_rng(0)
    result: dict[str, dict[str, float]] = {}
    expression, points = load_manifest("default"), load_manifest("landmarks68")
    for threads in (1, 2):
        network = ExpressionNetwork(expression, threads=threads)
        landmarker = Landmarks68Onnx(points.file(".onnx"), points.inputs, threads=threads)
        for batch in (1, 16):
            for name, run, size in (
                ("expression", network.probabilities, expression.inputs.size_px),
                ("landmarks", landmarker._shares, points.inputs.size_px),
            ):
                crops = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
                per_face = milliseconds(partial(run, crops)) / batch
                result.setdefault(name, {})[f"{threads} threads, batch {batch}"] = round(per_face, 2)
    return result


def installed_megabytes() -> dict[str, float]:
    """Size on disk of mien and everything its core install brings, largest first."""
    seen: dict[str, float] = {}
    todo = ["mien"]
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement for another system
        files = [Path(str(package.locate_file(file))) for file in package.files or []]
        if name == "mien":
            files = [file for file in Path(mien.__file__).parent.rglob("*") if file.is_file()]
        seen[name] = round(sum(file.stat().st_size for file in files if file.is_file()) / 1e6, 1)
        for requirement in package.requires or []:
            if "extra ==" not in requirement:
                todo.append(
                    requirement.split(";")[0].split("[")[0].strip().split(" ")[0].rstrip("<>=!~0123456789.,")
                )
    return dict(sorted(seen.items(), key=lambda item: -item[1]))


def machine() -> dict[str, object]:
    """What the numbers were taken on."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    versions = {name: metadata.version(name) for name in ("mien", "onnxruntime", "numpy", "pillow")}
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
            "load": os.getloadavg()[0], "versions": versions}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    one, eight = photo(1), photo(8)
    file = io.BytesIO()
    Image.fromarray(one).save(file, "JPEG", quality=90)
    recognizer = mien.load()
    copy = detector_called()
    full = YuNetDetector(load_manifest("yunet-slim").file(".onnx"), side_px=1920)
    larger = detector_called("centerface")
    on_copy = milliseconds(lambda: copy.detect(one))
    at_full = milliseconds(lambda: full.detect(one))
    sizes = installed_megabytes()
    result = {
        "command": "python benchmarks/predict.py",
        "machine": machine(),
        "cold_start_ms": {
            "mien --help": cold("--help"),
            "first answer": cold("predict", str(EXAMPLES / "astronaut.jpg"), "--json"),
        },
        "network_ms_per_face": networks(),
        "photo_1080p_ms": {
            "one face, from JPEG bytes": milliseconds(lambda: recognizer.predict(file.getvalue()), runs=15),
            "one face, decoded": milliseconds(lambda: recognizer.predict(one), runs=15),
            "eight faces, decoded": milliseconds(lambda: recognizer.predict(eight), runs=15),
            "faces package": [len(recognizer.predict(one)), len(recognizer.predict(eight))],
        },
        "detector": {
            "copy of 640 px, ms": on_copy,
            "full resolution, ms": at_full,
            "ratio": round(at_full / on_copy, 1),
            "CenterFace on the copy, ms": milliseconds(lambda: larger.detect(one), runs=15),
        },
        "peak_memory_mb": {
            "one photo": peak_megabytes("predict", str(EXAMPLES / "astronaut.jpg")),
            "1080p photo with eight faces": peak_of_photo(eight),
        },
        "installed_mb": {"total": round(sum(sizes.values()), 1), "largest": dict(list(sizes.items())[:8])},
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
