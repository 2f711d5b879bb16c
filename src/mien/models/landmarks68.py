"""The 68-point network: a MobileFaceNet backbone and a global depthwise convolution.

Its three maps are also the landmark stream of POSTER and POSTER++.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mien.nn.mobilefacenet import ConvBlock, MobileFaceNet, MobileFaceNetConfig


@dataclass(frozen=True, kw_only=True)
class Landmarks68Config:
    """Sizes. Defaults: the landmark network that POSTER carries."""

    backbone: MobileFaceNetConfig = MobileFaceNetConfig()
    size_px: int = 112  # side of the crop; fixed by the global convolution

    def build(self) -> Landmarks68:
        """The network, with random weights."""
        return Landmarks68(self)


class GlobalDepthwiseHead(nn.Module):
    """One weight per channel and cell, then a linear map to the coordinates."""

    def __init__(self, channels: int, *, cells: int, outputs: int) -> None:
        super().__init__()
        self.conv_6_dw = ConvBlock(channels, channels, kernel=cells, depthwise=True)
        self.linear = nn.Linear(channels, outputs, bias=False)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, cells, cells) -> (B, outputs)."""
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))


class Landmarks68(nn.Module):
    """Face crop (B, 3, 112, 112) -> 68 points (B, 68, 2) as shares of the crop's side, x then y."""

    def __init__(self, config: Landmarks68Config) -> None:
        super().__init__()
        self.config = config
        self.backbone = MobileFaceNet(config.backbone)
        self.output_layer = GlobalDepthwiseHead(
            self.backbone.out_channels[2], cells=config.size_px // 16, outputs=136
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.output_layer(self.backbone(x)[2]).unflatten(1, (68, 2))  # (B, 68, 2)
