"""IR-50, the residual image backbone of POSTER, POSTER++ and APViT (ArcFace's "improved residual" units).

Source: Deng et al., "ArcFace" (2019), section 3.2.1; sizes as in face.evoLVe's `IR_50`. The FER networks use
the first three of its four stages.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = ((64, 3), (128, 4), (256, 14))  # channels and units; each stage halves the grid


class Subsample(nn.Module):
    """Every `stride`-th pixel; the shortcut where channels stay equal."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :: self.stride, :: self.stride]


class Unit(nn.Module):
    """BN, 3x3, PReLU, 3x3 with the stride, BN; plus the shortcut, and no activation after the sum."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut_layer = (
            Subsample(stride)
            if in_channels == out_channels
            else nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class IR50(nn.Module):
    """Image (B, 3, 112, 112) -> maps (B, 64, 56, 56), (B, 128, 28, 28), (B, 256, 14, 14)."""

    out_channels = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        stages, in_channels = [], 64
        for out_channels, units in STAGES:
            stages.append(
                nn.Sequential(
                    *[
                        Unit(in_channels if i == 0 else out_channels, out_channels, stride=2 if i == 0 else 1)
                        for i in range(units)
                    ]
                )
            )
            in_channels = out_channels
        self.body = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if not torch.is_grad_enabled():  # an eighth faster on a CPU; in training the caller chooses
            x = x.contiguous(memory_format=torch.channels_last)
        fine = self.body[0](self.input_layer(x))
        middle = self.body[1](fine)
        return fine, middle, self.body[2](middle)
