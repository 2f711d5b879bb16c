"""DenseNet, the image backbone of PhaNet: every layer reads all maps before it and adds `growth` channels.

Source: Huang et al., "Densely connected convolutional networks" (2017), table 1, in the bottleneck form (BC).
Module names follow torchvision's `features`, so that its ImageNet files load without renaming.

Shapes below are for DenseNet-121 and a 224-pixel input; the grids are always input / 4, / 8, / 16, / 32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BOTTLENECK = 4  # a layer squeezes what it reads to 4 * growth channels


@dataclass(frozen=True, kw_only=True)
class DenseNetConfig:
    """Sizes of the backbone. Defaults: DenseNet-121."""

    growth: int = 32
    blocks: tuple[int, ...] = (6, 12, 24, 16)  # layers of each
    compression: float = 0.5  # share of the channels that a transition keeps
    stem: int = 64  # channels before the first block

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels at the end of each block, finest first."""
        channels, ends = self.stem, []
        for layers in self.blocks:
            channels += layers * self.growth
            ends.append(channels)
            channels = self.kept(channels)
        return tuple(ends)

    def kept(self, channels: int) -> int:
        """Channels after a transition."""
        return int(channels * self.compression)


SMALL_BACKBONE = DenseNetConfig(growth=16, blocks=(3, 6, 12, 8), stem=32)


class DenseLayer(nn.Module):
    """BN, ReLU, 1x1, BN, ReLU, 3x3; the result is appended to what came in."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + growth, H, W)."""
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], dim=1)


class Transition(nn.Module):
    """BN, ReLU, 1x1 to fewer channels, and the mean of each 2x2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    """Image (B, 3, 224, 224) -> maps (B, 256, 56, 56), (B, 512, 28, 28), (B, 1024, 14, 14), (B, 1024, 7, 7).

    Each map is the end of a dense block, before its transition; the last after the final BN and ReLU.
    """

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__()
        self.config = config
        self.features = nn.ModuleDict(
            {"conv0": nn.Conv2d(3, config.stem, 7, 2, 3, bias=False), "norm0": nn.BatchNorm2d(config.stem)}
        )
        in_channels = config.stem
        for i, (layers, out_channels) in enumerate(zip(config.blocks, config.out_channels, strict=True), 1):
            block = nn.Sequential()
            for j in range(layers):
                block.add_module(f"denselayer{j + 1}", DenseLayer(in_channels + j * config.growth, config.growth))
            self.features[f"denseblock{i}"] = block
            if i < len(config.blocks):
                in_channels = config.kept(out_channels)
                self.features[f"transition{i}"] = Transition(out_channels, in_channels)
        self.features["norm5"] = nn.BatchNorm2d(config.out_channels[-1])  # so called for any number of blocks
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the maps, finest first."""
        return self.config.out_channels

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        parts = self.features
        x = F.max_pool2d(F.relu(parts["norm0"](parts["conv0"](x))), 3, 2, 1)  # (B, 64, H/4, W/4)
        maps = []
        for i in range(1, len(self.config.blocks)):
            maps.append(parts[f"denseblock{i}"](x))
            x = parts[f"transition{i}"](maps[-1])
        x = parts[f"denseblock{len(self.config.blocks)}"](x)
        return *maps, F.relu(parts["norm5"](x))
