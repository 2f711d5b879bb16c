"""One face through the authors' networks, by torch and by ONNX Runtime, one thread each.

    python benchmarks/backends.py

Processor time, which other programs disturb less than wall time; of 8 runs after a first one the fastest. The
weights are fresh: the time does not depend on the numbers. docs/decisions/0009-torch-or-onnx.md stands on these.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

import mien
from mien.nn.onnx_session import open_session
from mien.weights.onnx_export import export_onnx

RUNS = 8
NETWORKS = {"poster": 224, "poster_v2": 224, "apvit": 112}  # name -> side of the input in pixels


def fastest_ms(run: Callable[[], object]) -> float:
    """Milliseconds of the fastest of several runs."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'network':10} {'torch':>7} {'ONNX Runtime':>13} {'writing ONNX':>13} {'its size':>9}")
    for name, size_px in NETWORKS.items():
        network = mien.build(name).eval()
        face = torch.rand(1, 3, size_px, size_px)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            start = time.process_time()
            export_onnx(network, path, size_px=size_px, output="logits")
            writing_s = time.process_time() - start
            session = open_session(path, threads=1)
            size_mb = path.stat().st_size / 1e6
        with torch.inference_mode():
            by_torch = fastest_ms(partial(network, face))
        by_onnx = fastest_ms(partial(session.run, None, {"faces": face.numpy()}))
        print(f"{name:10} {by_torch:4.0f} ms {by_onnx:10.0f} ms {writing_s:11.0f} s {size_mb:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()
