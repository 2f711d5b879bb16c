"""MobileFaceNet, the light convolutional backbone: landmark stream of POSTER, image stream of light networks.

Source: Chen et al., "MobileFaceNets" (2018), table 1. Module names follow the 68-point network that
POSTER and POSTER++ carry (`face_landback.*`), so that their files load without renaming.

Shapes below are for a 112-pixel input and width 1.0; the grid is always input / 4, / 8, / 16.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mien.nn.depthwise import StridedDepthwise


@dataclass(frozen=True, kw_only=True)
class MobileFaceNetConfig:
    """Sizes of the backbone. Defaults: the landmark backbone of POSTER."""

    width: float = 1.0  # multiplies every channel count
    activation: str = "prelu"  # "relu6" in the MobileNetV2-style face-identity network
    stem_pointwise: bool = False  # the face-identity network follows conv2_dw by a 1x1 convolution
    feature_channels: int = 512  # of conv_6_sep, which POSTER calls the landmark feature
    maps: int = 3  # two: only the maps at 1/4 and 1/8 are built

    def channels(self, base: int) -> int:
        """`base` channels of the original network at this width, a multiple of 8."""
        return max(8, int(base * self.width / 8 + 0.5) * 8)


OFFICIAL = MobileFaceNetConfig()
THIRD_MAP = ("conv_45.", "conv_5.", "conv_6_sep.")  # prefixes of the keys that a backbone of two maps lacks
LIGHT_BACKBONE = MobileFaceNetConfig(activation="relu6", stem_pointwise=True)  # as the face-identity network


def _activation(kind: str, channels: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(channels)
    if kind == "relu6":
        return nn.ReLU6(inplace=True)
    raise ValueError(f"activation is 'prelu' or 'relu6', not {kind!r}")


class ConvBlock(nn.Module):
    """Convolution without bias, batch norm and, unless `linear`, an activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        depthwise: bool = False,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        self.conv: nn.Conv2d
        if depthwise and (kernel, stride, padding, out_channels) == (3, 2, 1, in_channels):
            self.conv = StridedDepthwise(in_channels)
        else:
            groups = in_channels if depthwise else 1
            self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        if activation is not None:
            self.prelu = _activation(activation, out_channels)
        self.linear = activation is None

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.linear else self.prelu(x)


class Bottleneck(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1; with the identity added where `residual`."""

    def __init__(
        self, in_channels: int, out_channels: int, *, expanded: int, stride: int, activation: str, residual: bool
    ) -> None:
        super().__init__()
        self.conv = ConvBlock(in_channels, expanded, activation=activation)
        self.conv_dw = ConvBlock(
            expanded, expanded, kernel=3, stride=stride, padding=1, depthwise=True, activation=activation
        )
        self.project = ConvBlock(expanded, out_channels)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class Stage(nn.Module):
    """`depth` residual bottlenecks at one resolution."""

    def __init__(self, channels: int, *, expanded: int, depth: int, activation: str) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *[
                Bottleneck(channels, channels, expanded=expanded, stride=1, activation=activation, residual=True)
                for _ in range(depth)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class MobileFaceNet(nn.Module):
    """Image (B, 3, H, W) -> maps (B, 64, H/4, W/4), (B, 128, H/8, W/8), (B, 512, H/16, W/16)."""

    def __init__(self, config: MobileFaceNetConfig) -> None:
        super().__init__()
        self.config = config
        act = config.activation
        c64, c128, c256, c512 = (config.channels(base) for base in (64, 128, 256, 512))
        self.conv1 = ConvBlock(3, c64, kernel=3, stride=2, padding=1, activation=act)
        self.conv2_dw = ConvBlock(c64, c64, kernel=3, padding=1, depthwise=True, activation=act)
        if config.stem_pointwise:
            self.conv2_pw = ConvBlock(c64, c64, activation=act)
        self.conv_23 = Bottleneck(c64, c64, expanded=c128, stride=2, activation=act, residual=False)
        self.conv_3 = Stage(c64, expanded=c128, depth=4, activation=act)
        self.conv_34 = Bottleneck(c64, c128, expanded=c256, stride=2, activation=act, residual=False)
        self.conv_4 = Stage(c128, expanded=c256, depth=6, activation=act)
        if config.maps == 2:
            return
        self.conv_45 = Bottleneck(c128, c128, expanded=c512, stride=2, activation=act, residual=False)
        self.conv_5 = Stage(c128, expanded=c256, depth=2, activation=act)
        self.conv_6_sep = ConvBlock(c128, config.feature_channels, activation=act)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the maps, finest first."""
        config = self.config
        return (config.channels(64), config.channels(128), config.feature_channels)[: config.maps]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.conv2_dw(self.conv1(x))
        if self.config.stem_pointwise:
            x = self.conv2_pw(x)
        fine = self.conv_3(self.conv_23(x))  # (B, 64, H/4, W/4)
        middle = self.conv_4(self.conv_34(fine))  # (B, 128, H/8, W/8)
        if self.config.maps == 2:
            return fine, middle
        coarse = self.conv_6_sep(self.conv_5(self.conv_45(middle)))  # (B, 512, H/16, W/16)
        return fine, middle, coarse
