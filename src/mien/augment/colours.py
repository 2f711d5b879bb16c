"""Random colours.

Images (B, 3, H, W) in 0..1 and a `torch.Generator` of the CPU; the result has the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from mien.augment.draws import chosen_rows
from mien.augment.moving import moved

_LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Colour jitter: brightness, contrast, saturation and hue by a random factor each, in random order.

    A factor is uniform in 1 +- strength; hue is in turns of the colour circle. `bgr`: red and blue are taken
    for each other, as APViT's training does, which runs on BGR images as if they were RGB.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8
    grey: float = 0.0  # probability of being made grey before
    bgr: bool = False


def jitter(x: Tensor, rng: Generator, config: ColorJitter) -> Tensor:
    """Images (B, 3, H, W) in 0..1 with changed colours.

    All steps are linear, so one matrix per image does them at once. So the result is clipped once at the end,
    not after every step, and hue turns the plane of I and Q (NTSC) instead of the hexagon of HSV.
    """
    b = len(x)
    images = x.flip(1) if config.bgr else x
    mean = images.mean(dim=(2, 3)).cpu()
    strengths = (config.brightness, config.contrast, config.saturation)
    factors = 1 + torch.tensor(strengths) * (2 * torch.rand(b, 3, generator=rng) - 1)
    angle = 2 * np.pi * config.hue * (2 * torch.rand(b, generator=rng) - 1)
    order = torch.rand(b, 4, generator=rng).argsort(dim=1)
    eye, level = torch.eye(3), _LUMINANCE.expand(3, 3)
    greyed = chosen_rows(b, config.grey, rng)
    matrix = torch.where(greyed[:, None, None], level, eye)
    offset = torch.zeros(b, 3)
    chosen = chosen_rows(b, config.p, rng)
    turn = torch.eye(3).repeat(b, 1, 1)
    turn[:, 1, 1], turn[:, 1, 2] = torch.cos(angle), -torch.sin(angle)
    turn[:, 2, 1], turn[:, 2, 2] = torch.sin(angle), torch.cos(angle)
    saturation = factors[:, 2, None, None]
    steps = torch.stack(
        [
            factors[:, 0, None, None] * eye,
            factors[:, 1, None, None] * eye,
            saturation * eye + (1 - saturation) * level,
            torch.linalg.inv(_YIQ) @ turn @ _YIQ,
        ],
        dim=1,
    )  # (B, 4, 3, 3)
    rows = torch.arange(b)
    for kind in order.unbind(dim=1):
        step = torch.where(chosen[:, None, None], steps[rows, kind], eye)
        now = (matrix @ mean[..., None])[..., 0] + offset  # mean colour at this point
        grey_level = (now @ _LUMINANCE)[:, None]
        pulled = (1 - factors[:, 1, None]) * grey_level * ((kind == 1) & chosen)[:, None]
        matrix, offset = step @ matrix, (step @ offset[..., None])[..., 0] + pulled
    if config.bgr:
        matrix, offset = matrix.flip(1, 2), offset.flip(1)
    offset, matrix = (moved(part.to(x.dtype), x.device) for part in (offset[..., None], matrix))
    flat = torch.baddbmm(offset, matrix, x.flatten(2))
    return flat.clamp_(0, 1).view_as(x)


def colour(
    x: Tensor, rng: Generator, *, brightness: float, contrast: float, channel_gain: float, gamma: float
) -> Tensor:
    """Brightness, contrast, a gain per channel and a gamma, each uniform within its strength."""

    def factor(strength: float, *shape: int) -> Tensor:
        return moved(1 + strength * (2 * torch.rand(len(x), *shape, generator=rng) - 1), x.device)

    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * factor(contrast, 1, 1, 1) + mean * factor(brightness, 1, 1, 1)
    x = (x * factor(channel_gain, x.shape[1], 1, 1)).clamp(1e-4, 1)
    return x ** factor(gamma, 1, 1, 1)


def grey(x: Tensor, rng: Generator, *, p: float) -> Tensor:
    """Luminance in all three channels (ITU-R BT.601 weights)."""
    weights = moved(_LUMINANCE, x.device).view(1, 3, 1, 1)
    chosen = moved(chosen_rows(len(x), p, rng), x.device).view(-1, 1, 1, 1)
    return torch.where(chosen, (x * weights).sum(1, keepdim=True), x)
