"""How fast this machine predicts, against what it can do: its matrix products and its memory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from mien._version import __version__
from mien.cores import usable_cores
from mien.media.work import Progress, no_progress
from mien.nn.precision import int8_is_faster
from mien.pipeline.loading import load
from mien.pipeline.precision import open_precise
from mien.pipeline.recognizer import Recognizer
from mien.weights.manifest import INT8, load_manifest
from mien.weights.parity import FILE

# Million multiply-adds of one face; tests/pipeline/test_bench.py counts them in torch
MILLION_PRODUCTS = {
    "default": 172, "poster_v2": 479, "poster": 465, "apvit": 453, "phanet": 249, "landmarks68": 172,
}  # fmt: skip
BATCHES = (1, 4, 16)
_SIDE = 768  # of the measured matrix product
_COPIED = 64 * 2**20  # bytes of the measured copy


@dataclass(frozen=True, kw_only=True)
class NetworkSpeed:
    """One network at one setting."""

    network: str
    precision: str  # "float32" or "int8"
    threads: int
    batch: int
    ms_per_face: float
    billion_products_s: float  # multiply-adds a second
    products_per_byte: float  # of weights read: below the machine's ratio memory limits, above it arithmetic
    share: float  # of what the roofline allows in float32 on these threads; int8 can exceed 1


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """What `bench` measured. Times are the best of wall time, which other work on the machine disturbs least."""

    machine: dict[str, Any]
    billion_products_s: dict[int, float]  # by threads: float32 matrix product, multiply-adds
    gigabytes_s: float  # of a copy in memory, read and written
    networks: tuple[NetworkSpeed, ...]
    stages_ms: dict[str, dict[str, float]]  # by number of faces in a 1080p photo
    advice: tuple[str, ...]


def bench(
    *, weights: tuple[str, ...] = ("default", "landmarks68"), seconds: float = 0.3, progress: Progress = no_progress
) -> BenchResult:
    """Measure the machine, networks and stages. `seconds`: for each setting; about a minute by default in all."""
    cores = usable_cores()
    threads = sorted({1, cores})
    products = {count: _matrix_products(count, seconds) for count in threads}
    bandwidth = _bandwidth(seconds)
    settings = [
        (name, precision, count, batch)
        for name in weights
        for precision in ("float32", *(["int8"] if load_manifest(name).has(INT8) else []))
        for count in threads
        for batch in BATCHES
    ]
    networks = []
    for done, (name, precision, count, batch) in enumerate(settings):
        progress(done, len(settings) + 2)
        networks.append(_network(name, precision, count, batch, products[count], bandwidth, seconds))
    stages = {}
    for done, faces in enumerate((1, 8)):
        progress(len(settings) + done, len(settings) + 2)
        stages["1 face" if faces == 1 else f"{faces} faces"] = _stages(load(threads=1), _photo(faces), seconds)
    progress(len(settings) + 2, len(settings) + 2)
    machine = {
        "processor": _processor(), "cores": cores, "load": _load(), "system": platform.platform(),
        "python": platform.python_version(), "mien": __version__, "int8_instructions": int8_is_faster(),
    }  # fmt: skip
    return BenchResult(
        machine=machine, billion_products_s=products, gigabytes_s=bandwidth, networks=tuple(networks),
        stages_ms=stages, advice=advise(tuple(networks), cores),
    )  # fmt: skip


def advise(networks: tuple[NetworkSpeed, ...], cores: int) -> tuple[str, ...]:
    """What to choose on this machine, in sentences."""
    same = [one for one in networks if one.network == networks[0].network]
    best = min(same, key=lambda one: one.ms_per_face * one.threads)
    single = min(
        (one for one in same if one.precision == "float32" and one.threads == 1), key=lambda one: one.ms_per_face
    )
    lines = []
    if best.precision == "int8":
        gain = single.ms_per_face / (best.ms_per_face * best.threads)
        lines.append(f"precision: int8, {gain:.1f} times the faces per core of float32")
    else:
        lines.append("precision: float32; int8 gains nothing here")
    if cores > 1:
        one, all_cores = (
            min(each.ms_per_face for each in same if each.threads == count and each.batch == 1)
            for count in (1, cores)
        )
        lines.append(
            f"one photo at a time: {cores} threads ({all_cores:.1f} ms a face, {one:.1f} on one)"
            if all_cores < 0.95 * one
            else "one photo at a time: one thread; more gain nothing"
        )
        lines.append(f"folders: mien.load(threads=1) and workers={cores}, as mien predict does")
    return tuple(lines)


def _network(
    name: str, precision: str, threads: int, batch: int, products_s: float, bandwidth: float, seconds: float
) -> NetworkSpeed:
    manifest = load_manifest(name)
    session, _ = open_precise(manifest, threads=threads, precision=precision)
    with Image.open(FILE) as image:
        size = (manifest.inputs.size_px,) * 2
        face = np.asarray(image.crop((0, 0, image.height, image.height)).convert("RGB").resize(size))
    x = manifest.inputs.normalise(np.repeat(face[None], batch, axis=0))
    ms = _best_ms(lambda: session.run(None, {"faces": x}), seconds)
    products = MILLION_PRODUCTS[manifest.name] * 1e6 * batch
    stored = manifest.file(".safetensors").stat().st_size / 2  # half precision: two bytes a weight
    per_byte = products / (stored * (1 if precision == "int8" else 4))
    roof = min(products_s, bandwidth * per_byte)
    rate = products / ms / 1e6
    return NetworkSpeed(
        network=name, precision=precision, threads=threads, batch=batch, ms_per_face=round(ms / batch, 2),
        billion_products_s=round(rate, 1), products_per_byte=round(per_byte, 1), share=round(rate / roof, 2),
    )  # fmt: skip


def _stages(recognizer: Recognizer, image: np.ndarray, seconds: float) -> dict[str, float]:
    """Milliseconds of detection, of landmarks with the way up, and of all."""
    detections = recognizer.detections(image)
    detection = _best_ms(lambda: recognizer.detections(image), seconds)
    located = recognizer.any_roll.locate(image, detections)
    location = _best_ms(lambda: recognizer.any_roll.locate(image, detections), seconds)
    pairs = [(image, face) for face in located]
    recognition = _best_ms(lambda: recognizer.recognise(pairs), seconds)
    return {
        "detection": round(detection, 1),
        "landmarks and way up": round(location, 1),
        "crops, expression, pose, quality": round(recognition, 1),
        "all": round(detection + location + recognition, 1),
        "faces": float(len(located)),
    }


def _photo(faces: int) -> np.ndarray:
    """1920 x 1080 with this many faces on a grey wall."""
    wall = Image.new("RGB", (1920, 1080), (120, 124, 128))
    with Image.open(FILE) as image:
        side = image.height
        pair = [image.crop((x, 0, x + side, side)).convert("RGB").resize((220, 220)) for x in (0, side)]
    for i in range(faces):
        wall.paste(pair[i % 2], (130 + i % 4 * 450, 120 + i // 4 * 520))
    return np.asarray(wall)


def _best_ms(call: Callable[[], object], seconds: float) -> float:
    call()
    times, end = list[float](), time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def _matrix_products(threads: int, seconds: float) -> float:
    """Billion float32 multiply-adds a second of one large product, by ONNX Runtime's own threads and kernels."""
    from mien.nn.onnx_session import matrix_product_session

    session = matrix_product_session(_SIDE, threads=threads)
    a = np.ones((_SIDE, _SIDE), dtype=np.float32)
    ms = _best_ms(lambda: session.run(None, {"a": a, "b": a}), seconds)
    return round(_SIDE**3 / ms / 1e6, 1)


def _bandwidth(seconds: float) -> float:
    source = np.ones(_COPIED // 8)
    target = np.empty_like(source)
    ms = _best_ms(lambda: np.copyto(target, source), seconds)
    return round(2 * _COPIED / ms / 1e6, 1)


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
