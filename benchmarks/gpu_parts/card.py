"""The card alone: the rates of which the other parts state their share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from gpu_parts.run import Run, rounded, turns


def card(run: Run) -> dict[str, Any]:
    side = 256 if run.tiny else 8192
    a, b = (torch.randn(side, side, device=run.device, dtype=torch.bfloat16) for _ in range(2))
    megabytes = 1 if run.tiny else 1024
    source = torch.empty(megabytes * 2**20, dtype=torch.uint8, device=run.device)
    target = torch.empty_like(source)
    single = a[: side // 2, : side // 2].float()
    calls: dict[str, Callable[[], object]] = {
        "bf16": lambda: a @ b,
        "float32": lambda: single @ single,
        "copy": lambda: target.copy_(source),
    }
    for call in calls.values():
        call()
    ms = turns(run, calls, block=20, rounds=4)
    return {
        "bf16 TFLOP/s": rounded(2 * side**3 / ms["bf16"] / 1e9),
        "float32 TFLOP/s": rounded(2 * (side // 2) ** 3 / ms["float32"] / 1e9),
        "copy GB/s, read and written": rounded(2 * megabytes * 2**20 / ms["copy"] / 1e6),
    }
