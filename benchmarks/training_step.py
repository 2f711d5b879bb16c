"""Precision of a training step on one thread: float32, bfloat16, and with the gradient of `mien.nn.depthwise`.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --network poster --batch 48

Forward and backward pass of a network in its light form at 96 pixels, channels last, without optimizer and
augmentation. The forms take turns; figures are medians of processor time in milliseconds, and ratios to the first
form. Random weights; nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from functools import partial
from time import process_time

import torch
from torch import Tensor, nn

from mien.models import configure
from mien.nn.depthwise import StridedDepthwise
from timing import in_turns


def usual_convolutions(network: nn.Module) -> nn.Module:
    """A copy whose strided depthwise convolutions are torch's own."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, StridedDepthwise):
            object.__setattr__(module, "__class__", nn.Conv2d)  # the same tensors, another forward
    return network


def step(network: nn.Module, images: Tensor, targets: Tensor, *, bfloat16: bool) -> None:
    """Forward and backward."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = network(images)
    nn.functional.cross_entropy(logits.float(), targets).backward()


def forms(name: str, batch: int) -> dict[str, Callable[[], None]]:
    """The step in each form."""
    torch.manual_seed(0)
    network = configure(name, config_name="light", classes=8, size_px=96).build()
    network = network.to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    targets = torch.randn(batch, 8).softmax(dim=1)
    usual = usual_convolutions(network)
    return {
        "float32": partial(step, usual, images, targets, bfloat16=False),
        "bfloat16": partial(step, usual, images, targets, bfloat16=True),
        "bfloat16, dense gradient": partial(step, network, images, targets, bfloat16=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="poster_v2")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    times = in_turns(forms(options.network, options.batch), rounds=options.rounds, warm=1, clock=process_time)
    ratio = times.pop("ratio")
    for form, milliseconds in times.items():
        speed = 1000 * options.batch / milliseconds
        print(f"{form:26} {milliseconds:8.0f} ms, {speed:5.1f} images/s, {ratio.get(form, 1.0)} x")


if __name__ == "__main__":
    main()
