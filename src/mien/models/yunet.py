"""YuNet: faces with five points at three strides, by separable convolutions.

Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023); code: libfacedetection.train.
The authors' file has its batch norms folded into the convolutions, so there are none here. The four heads of a
stride are one convolution with 16 output channels: the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)  # side of a cell of each output in input pixels
OUTPUTS = 16  # per cell: class logit, object logit, box (4), five points (10)


@dataclass(frozen=True, kw_only=True)
class YuNetConfig:
    """Sizes. Defaults: YuNet-n of the paper."""

    stem: int = 16
    early: tuple[int, int, int] = (64, 64, 64)  # of the last three units at a quarter
    width: int = 64  # of everything at strides 8 to 32

    def build(self) -> YuNet:
        """The network, with random weights."""
        return YuNet(self)


class Separable(nn.Sequential):
    """A pointwise, then a depthwise 3x3 convolution, as YuNet orders them. (B, C, H, W) -> (B, D, H, W)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(channels, outputs, 1), nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs))


def unit(*channels: int) -> nn.Sequential:
    """Separable convolutions of these widths, each with ReLU."""
    return nn.Sequential(
        *[part for pair in pairwise(channels) for part in (Separable(*pair), nn.ReLU(inplace=True))]
    )


class YuNet(nn.Module):
    """Images (B, 3, H, W) RGB 0..1, H and W multiples of 32 -> outputs (B, 16, N) for N cells.

    The cells of strides 8, 16 and 32 follow one another, each stride row by row. `mien.faces.yunet.decode`
    says what the 16 numbers of a cell mean.
    """

    def __init__(self, config: YuNetConfig) -> None:
        super().__init__()
        self.config = config
        stem, width = config.stem, config.width
        self.stem = nn.Conv2d(3, stem, 3, stride=2, padding=1)
        self.at_half = unit(stem, stem)  # of the input's resolution
        self.at_quarter = unit(stem, stem, *config.early)
        self.stages = nn.ModuleList(
            [unit(config.early[-1] if i == 0 else width, width, width) for i in range(len(STRIDES))]
        )
        self.lateral = nn.ModuleList([unit(width, width) for _ in STRIDES])
        self.shared = nn.ModuleList([unit(width, width) for _ in STRIDES])
        self.heads = nn.ModuleList([Separable(width, OUTPUTS) for _ in STRIDES])

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.at_half(F.relu(self.stem(x))), 2)  # (B, stem, H/4, W/4)
        x = self.at_quarter(x)
        maps = []
        for stage in self.stages:
            x = stage(F.max_pool2d(x, 2))
            maps.append(x)
        return self.outputs(self.pyramid(maps))

    def pyramid(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Add the coarser maps to the finer: three (B, width, h, w), finest first -> the same shapes."""
        merged: list[Tensor] = []
        for lateral, x in zip(reversed(self.lateral), reversed(maps), strict=True):
            merged.append(lateral(x + F.interpolate(merged[-1], scale_factor=2.0) if merged else x))
        return merged[::-1]

    def outputs(self, maps: Sequence[Tensor]) -> Tensor:
        """Three maps -> (B, 16, N)."""
        heads = zip(self.heads, self.shared, maps, strict=True)
        return torch.cat([head(shared(x)).flatten(2) for head, shared, x in heads], dim=2)
