"""What all parts share: the device, the time that is left, and how a call is timed."""

from __future__ import annotations

import gc
import statistics
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mien.training.graph import CudaRecorder, Recorder, Repeated


@dataclass(frozen=True)
class Run:
    """What all parts share."""

    device: torch.device
    tiny: bool
    quick: bool
    deadline: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def batch(self, full: int) -> int:
        """Images of a step."""
        return 4 if self.tiny else full

    @property
    def images(self) -> int:
        """Prepared images."""
        return 32 if self.tiny else 20_000

    def finish(self) -> None:
        """Wait for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def recorder(self) -> Recorder:
        """That of this device."""
        return CudaRecorder(self.device) if self.device.type == "cuda" else Repeated()

    def clear(self) -> None:
        """Give memory back between two parts."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_mb(self) -> float | None:
        """Memory in use at most since `clear`."""
        return round(torch.cuda.max_memory_allocated(self.device) / 2**20) if self.device.type == "cuda" else None


def turns(run: Run, calls: Mapping[str, Callable[[], object]], *, block: int, rounds: int) -> dict[str, float]:
    """Milliseconds of a call: medians over blocks of calls, which take turns forth and back."""
    block, rounds = (1, 1) if run.tiny else (block, max(1, rounds // 2) if run.quick else rounds)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        for name in order:
            run.finish()
            begun = time.perf_counter()
            for _ in range(block):
                calls[name]()
            run.finish()
            taken[name].append(1000 * (time.perf_counter() - begun) / block)
        order.reverse()
    return {name: round(statistics.median(times), 3) for name, times in taken.items()}


@torch.no_grad()
def flops(network: Any, x: Tensor) -> float:
    """Floating-point operations of forward and backward for one image: three times those of what is trained."""
    network.eval()
    side = network.config.size_px
    x = x[:1, :, :: x.shape[-1] // side, :: x.shape[-1] // side]
    with FlopCounterMode(display=False) as counter:
        network(x)
    frozen = FlopCounterMode(display=False)
    if hasattr(network, "landmark_backbone"):
        with frozen:
            network.landmark_backbone(x)
    return 3 * counter.get_total_flops() - 2 * frozen.get_total_flops()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is worth its name there: processors with AVX2 alone take seconds for a step of it."""
    return device.type == "cuda" or torch.backends.cpu.get_cpu_capability() != "AVX2"


def rounded(value: float) -> float:
    """To five significant digits: the rate of a slow processor is no zero."""
    return float(f"{value:.5g}")


def share(rate: float, card_rate: float | None) -> dict[str, float]:
    """Of the card's matrix rate."""
    return {"TFLOP/s": rounded(rate / 1e12)} | (
        {"share of the matrix rate": rounded(rate / 1e12 / card_rate)} if card_rate else {}
    )


def shown(error: BaseException) -> str:
    """Its kind, text and place."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:600]} ({where})"
