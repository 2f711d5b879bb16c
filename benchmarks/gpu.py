"""Training on one GPU: a step in the published form and in ours, and the images a second of light networks.

    python benchmarks/gpu.py --out benchmarks/results/NAME.json
    python benchmarks/gpu.py --device cpu --tiny

The parts stand in the order of their weight, and each is written to --out as soon as it is measured. One that fails
leaves its error there, and the next goes on; none begins that would not end within --seconds.

- card: products of two bfloat16 matrices of 8192, and a copy within its memory. Shares below are of that product.
- recorded: the step as a CUDA graph against the eager one: losses of the same steps, and a batch of NaN, which must
  change nothing.
- light, and others: the whole step of the light networks at 96 pixels, images resident and augmented on the GPU.
- published: the networks of the papers at their own input and batch, random weights. "published" is the authors'
  formula in float32 (`official/`) with their optimizer and without SAM's second pass; "ours" bfloat16, channels
  last, fused optimizer, then the same as a graph.
- streams, processes: several light networks at once.
- compiled: torch.compile, each in a process of its own, as long as time is left.

Forms take turns in blocks of steps. Random weights, images of noise; nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu_parts.card import card
from gpu_parts.light import compared, light, streams
from gpu_parts.processes import WORKERS, compiled, processes
from gpu_parts.published import PUBLISHED, published
from gpu_parts.run import Run, multiplies_bfloat16, shown

LIGHT = ("poster_v2", "bare_backbone", "poster", "apvit", "phanet")  # the default first
BEGUN = time.monotonic() - time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)  # about when the process began
NEEDED = {  # seconds that a part takes at most, or about
    "card": 3, "recorded": 8, "light": 15, "published poster_v2": 12, "published apvit": 10, "published poster": 14,
    "streams": 12, "others": 8, "processes": 25, "compiled": 25,
}  # fmt: skip


def machine(run: Run) -> dict[str, Any]:
    """What it was measured on."""
    cuda = run.device.type == "cuda"
    try:
        fabric = metadata.version("lightning_fabric")
    except metadata.PackageNotFoundError:
        fabric = "not installed: a stand-in"
    return {
        "gpu": torch.cuda.get_device_name(run.device) if cuda else None,
        "memory GB": round(torch.cuda.get_device_properties(run.device).total_memory / 1e9, 1) if cuda else None,
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "bfloat16": multiplies_bfloat16(run.device),  # otherwise single precision in its place
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "lightning_fabric": fabric,
        "numpy": np.__version__,
        "seconds to start": round(time.monotonic() - BEGUN, 1),
    }


def measure(run: Run, wanted: list[str], write: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Every part that fits into the time."""
    result: dict[str, Any] = {"machine": machine(run), "parts": {}, "seconds": {}}
    names = LIGHT[:2] if run.tiny else LIGHT

    def rate() -> float | None:
        return result["parts"].get("card", {}).get("bf16 TFLOP/s")

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "card": lambda: card(run),
        "recorded": lambda: {name: guarded(compared, run, name) for name in ("poster_v2", "phanet")},
        "light": lambda: light(run, "poster_v2", rate()),
        **{f"published {name}": lambda name=name: published(run, name, rate()) for name in PUBLISHED},  # type: ignore[misc]
        "streams": lambda: streams(run, names),
        "others": lambda: others(run, names[1:], rate),
        "processes": lambda: processes(run, names),
        "compiled": lambda: compiled(run),
    }
    for name, part in parts.items():
        if wanted and name not in wanted:
            continue
        if not run.tiny and run.left < NEEDED[name]:
            result["parts"][name] = {"left out": f"{run.left:.0f} s were left"}
            continue
        begun = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        result["parts"][name] = guarded(part)
        result["seconds"][name] = round(time.monotonic() - begun, 1)
        with contextlib.suppress(Exception):
            run.clear()
        write(result)
        print(json.dumps({name: result["parts"][name]}), flush=True)
    return result


def others(run: Run, names: Sequence[str], rate: Callable[[], float | None]) -> dict[str, Any]:
    """The light networks beside the default, as long as time is left."""
    rows = {}
    for name in names:
        if run.left > 6:
            rows[name] = guarded(light, run, name, rate(), sizes=(384,), full=False)
            run.clear()
    return rows


def guarded(part: Callable[..., dict[str, Any]], *args: Any, **options: Any) -> dict[str, Any]:
    """A part, or its error."""
    try:
        return part(*args, **options)
    except Exception as error:
        traceback.print_exc()
        return {"error": shown(error)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write everything as JSON, after each part")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=100.0, help="no part begins that would end later")
    parser.add_argument("--quick", action="store_true", help="half as many blocks")
    parser.add_argument("--tiny", action="store_true", help="a few images, one block: to see that all parts run")
    parser.add_argument("--part", choices=NEEDED, action="append", help="only this one; may be repeated")
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device(options.device)
    run = Run(device, options.tiny, options.quick, BEGUN + options.seconds)
    if options.job:
        options.out.write_text(json.dumps(WORKERS[options.job[0]](run, *options.job[1:])))
        return

    def write(result: dict[str, Any]) -> None:
        if options.out:
            flags = "".join(f" --{flag}" for flag in ("quick", "tiny") if getattr(options, flag))
            about = {"command": f"python benchmarks/gpu.py{flags}", "date": time.strftime("%Y-%m-%d")}
            options.out.write_text(json.dumps(about | result, indent=2) + "\n")

    result = measure(run, options.part or [], write)
    write(result)


if __name__ == "__main__":
    main()
