"""RandAugment (Cubuk et al., 2020) on batches: a few random operations per picture, all of one strength.

Thirteen operations: identity, autocontrast, brightness, contrast, saturation, sharpness, posterize, solarize,
rotate, shear x, shear y, translate x, translate y. Equalize is left out: a histogram per picture and
channel has no fast form on batches. Moved pictures repeat their edge instead of showing grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

OPERATIONS = (
    "identity",
    "autocontrast",
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "posterize",
    "solarize",
    "rotate",
    "shear x",
    "shear y",
    "translate x",
    "translate y",
)
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True, kw_only=True)
class RandAugment:
    """`count` operations per picture, drawn evenly from OPERATIONS, at `strength` 0..1 (a tenth of the paper's M).

    At strength 1: factors 1 +- 0.9, 4 bits kept, all inverted, turned by 30 degrees, shear 0.3, moved by 0.3 of
    the side.
    """

    count: int = 2
    strength: float = 0.5
    share: float = 1.0  # of the pictures


def rand_augment(x: Tensor, rng: Generator, how: RandAugment) -> Tensor:
    """Pictures (B, 3, H, W) in 0..1, each changed by its own operations."""
    x = x.clone()
    for _ in range(how.count):
        kinds = torch.randint(len(OPERATIONS), (len(x),), generator=rng)
        kinds[torch.rand(len(x), generator=rng) >= how.share] = 0
        signs = 2 * torch.randint(2, (len(x),), generator=rng) - 1
        for kind in kinds.unique().tolist():
            rows = (kinds == kind).nonzero().flatten()
            signed = (signs[rows] * how.strength).to(x.device, x.dtype)
            if kind:
                rows = rows.to(x.device)
                x[rows] = operate(x[rows], OPERATIONS[kind], signed)
    return x


def operate(x: Tensor, operation: str, signed: Tensor) -> Tensor:
    """One operation on pictures (B, 3, H, W) in 0..1; `signed` (B,) is the strength, its sign the direction."""
    amount = signed.view(-1, 1, 1, 1)
    if operation == "autocontrast":
        low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)
    if operation == "brightness":
        return (x * (1 + 0.9 * amount)).clamp(0, 1)
    if operation == "contrast":
        return _from(_grey(x).mean(dim=(2, 3), keepdim=True), x, amount)
    if operation == "saturation":
        return _from(_grey(x), x, amount)
    if operation == "sharpness":
        return _from(_smooth(x), x, amount)
    if operation == "posterize":
        levels = 2 ** (8 - torch.round(4 * amount.abs()))
        return torch.floor(x * 255 / (256 / levels)) * (256 / levels) / 255
    if operation == "solarize":
        return torch.where(x > 1 - amount.abs(), 1 - x, x)
    return _moved(x, operation, signed)


def _from(start: Tensor, x: Tensor, amount: Tensor) -> Tensor:
    return (start + (x - start) * (1 + 0.9 * amount)).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    return (x * x.new_tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _smooth(x: Tensor) -> Tensor:
    """Pillow's SMOOTH filter: 3 x 3, weight 5 in the middle; the border stays."""
    taps = x.new_ones(3, 1, 3, 3) / 13
    taps[:, :, 1, 1] = 5 / 13
    smooth = x.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(x, taps, groups=3)
    return smooth


def _moved(x: Tensor, operation: str, signed: Tensor) -> Tensor:
    theta = torch.eye(2, 3, device=x.device, dtype=x.dtype).repeat(len(x), 1, 1)
    if operation == "rotate":
        turn = torch.deg2rad(30 * signed)
        theta[:, 0, 0], theta[:, 0, 1] = torch.cos(turn), -torch.sin(turn)
        theta[:, 1, 0], theta[:, 1, 1] = torch.sin(turn), torch.cos(turn)
    else:
        row, column = {"shear x": (0, 1), "shear y": (1, 0), "translate x": (0, 2), "translate y": (1, 2)}[
            operation
        ]
        theta[:, row, column] = signed * (0.6 if column == 2 else 0.3)  # the grid is 2 wide
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
