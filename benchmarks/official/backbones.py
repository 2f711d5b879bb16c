"""The two official backbones: IR-50 without its last stage, and the 68-point MobileFaceNet."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((64, 3), (128, 4), (256, 14))  # channels and units


class Unit(nn.Module):
    """Batch norm, 3x3, PReLU, 3x3, batch norm; a pooling of one cell subsamples the shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inside != outside:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut_layer(x)
        return self.res_layer(x) + shortcut


def stem() -> nn.Sequential:
    """3 -> 64 channels at full resolution."""
    return nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))


def stage(index: int) -> list[nn.Module]:
    """The units of one stage; the first halves the grid."""
    channels, units = STAGES[index]
    inside = 64 if index == 0 else STAGES[index - 1][0]
    return [Unit(channels if i else inside, channels, 1 if i else 2) for i in range(units)]


def unused_identity_head() -> nn.Sequential:
    """12.8 M parameters that POSTER and POSTER++ allocate and never run."""
    return nn.Sequential(
        nn.BatchNorm2d(512), nn.Dropout(0.5), nn.Flatten(), nn.Linear(512 * 49, 512), nn.BatchNorm1d(512)
    )


class ConvBlock(nn.Module):
    """Convolution, batch norm, PReLU; a linear block has no PReLU."""

    def __init__(self, inside: int, outside: int, kernel: int = 1, stride: int = 1, padding: int = 0, *,
                 groups: int = 1, linear: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outside)
        if not linear:
            self.prelu = nn.PReLU(outside)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.linear else self.prelu(x)


class DepthWise(nn.Module):
    """Expand, depthwise 3x3, project."""

    def __init__(self, inside: int, outside: int, stride: int, groups: int, *, residual: bool = False) -> None:
        super().__init__()
        self.conv = ConvBlock(inside, groups)
        self.conv_dw = ConvBlock(groups, groups, 3, stride, 1, groups=groups)
        self.project = ConvBlock(groups, outside, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class Residuals(nn.Module):
    """Several depthwise blocks with a shortcut."""

    def __init__(self, channels: int, count: int, groups: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*[DepthWise(channels, channels, 1, groups, residual=True) for _ in range(count)])

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class PointsHead(nn.Module):
    """The 136 coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_6_dw = ConvBlock(512, 512, 7, groups=512, linear=True)
        self.linear = nn.Linear(512, 136, bias=False)
        self.bn = nn.BatchNorm1d(136)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))


class LandmarkBackbone(nn.Module):
    """Resize to 112, three maps; the coordinates are computed too, and nobody reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBlock(3, 64, 3, 2, 1)
        self.conv2_dw = ConvBlock(64, 64, 3, 1, 1, groups=64)
        self.conv_23 = DepthWise(64, 64, 2, 128)
        self.conv_3 = Residuals(64, 4, 128)
        self.conv_34 = DepthWise(64, 128, 2, 256)
        self.conv_4 = Residuals(128, 6, 256)
        self.conv_45 = DepthWise(128, 128, 2, 512)
        self.conv_5 = Residuals(128, 2, 256)
        self.conv_6_sep = ConvBlock(128, 512)
        self.output_layer = PointsHead()
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.interpolate(x, size=112)
        fine = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        middle = self.conv_4(self.conv_34(fine))
        coarse = self.conv_6_sep(self.conv_5(self.conv_45(middle)))
        self.output_layer(coarse)
        return fine, middle, coarse
