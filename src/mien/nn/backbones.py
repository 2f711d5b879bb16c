"""The first steps of every network here: the pixel grid and the image backbone."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mien.errors import UnknownNameError
from mien.nn.densenet import DenseNet, DenseNetConfig
from mien.nn.iresnet import IR50
from mien.nn.mobilefacenet import MobileFaceNet, MobileFaceNetConfig


def nearest(x: Tensor, size_px: int) -> Tensor:
    """Images (B, 3, H, W) -> (B, 3, size, size) by nearest neighbour; multiples are only sliced."""
    height, width = x.shape[-2:]
    if height % size_px or width % size_px:
        return F.interpolate(x, size=(size_px, size_px), mode="nearest")
    return x[..., :: height // size_px, :: width // size_px]


def image_backbone(
    kind: str, light: MobileFaceNetConfig, dense: DenseNetConfig | None = None
) -> IR50 | MobileFaceNet | DenseNet:
    """IR-50, which has no options, or a MobileFaceNet or DenseNet of the given sizes."""
    if kind == "ir50":
        return IR50()
    if kind == "mobilefacenet":
        return MobileFaceNet(light)
    if kind == "densenet" and dense is not None:
        return DenseNet(dense)
    raise UnknownNameError("image backbone", kind, ["ir50", "mobilefacenet", *(["densenet"] if dense else [])])
