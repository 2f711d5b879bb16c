"""Uneven light on batches of faces."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from mien.augment.moving import moved


def side_light(x: Tensor, rng: Generator, *, p: float, strength: float) -> Tensor:
    """Light that falls off across the image in a random direction, brighter and darker by up to `strength`.

    Images (B, 3, H, W) in 0..1, each changed with probability `p`.
    """
    chosen, angle, amount = torch.rand(3, len(x), generator=rng)
    amount = strength * amount * (chosen < p)
    line = torch.linspace(-1, 1, x.shape[-1], device=x.device)
    across, down = (
        moved(part(2 * math.pi * angle) * amount, x.device)[:, None, None] for part in (torch.cos, torch.sin)
    )
    ramp = 1 + across * line[None, None, :] + down * line[None, :, None]  # (B, H, W)
    return (x * ramp[:, None]).clamp_(0, 1)
