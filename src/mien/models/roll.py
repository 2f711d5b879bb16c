"""The roll of a face in its box: a probability for every direction of up.

Plain convolutions on a small crop, whose pixels say by their place which way the face stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

BINS = 24  # bin i is a roll of i * 15 degrees clockwise as seen in the image


@dataclass(frozen=True, kw_only=True)
class RollConfig:
    """Sizes. Defaults: those of the weights in the package."""

    channels: tuple[int, ...] = (16, 32, 48, 64, 96)  # of the stem, then of one convolution per halving
    size_px: int = 48  # side of the crop; fixed by the linear layer

    def build(self) -> RollNet:
        """The network, with random weights."""
        return RollNet(self)


class RollNet(nn.Module):
    """Face crops (B, 3, 48, 48), upright boxes around faces of any roll -> logits (B, 24) of the roll's bins."""

    def __init__(self, config: RollConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _convolution(3, config.channels[0], stride=2)
        self.stages = nn.Sequential(*[
            nn.Sequential(_convolution(before, after, stride=1), nn.MaxPool2d(2, ceil_mode=True))
            for before, after in pairwise(config.channels)
        ])  # fmt: skip
        cells = -(-config.size_px // 2 ** len(config.channels))
        self.head = nn.Linear(config.channels[-1] * cells * cells, BINS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.stages(self.stem(x)), 1))


def _convolution(channels: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
