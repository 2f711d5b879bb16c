"""Images as poor cameras and compression make them: small, blurred, noisy, with JPEG's artefacts.

Images (B, 3, H, W) in 0..1 and a `torch.Generator` of the CPU; the result has the same shape.
"""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from mien.augment.draws import chosen_rows, generator_on
from mien.augment.moving import moved


def low_resolution(x: Tensor, rng: Generator, *, p: float, least_px: int) -> Tensor:
    """Shrink to between `least_px` and the full side, and back; images in the wild are often small.

    A few sizes per batch keep it fast. Images that are no larger than `least_px` stay as they are.
    """
    side = x.shape[-1]
    if side <= least_px:
        return x
    chosen = chosen_rows(len(x), p, rng).nonzero().flatten()
    x = x.clone()
    for rows in chosen.tensor_split(4):
        if len(rows):
            small, rows = int(torch.randint(least_px, side, (), generator=rng)), moved(rows, x.device)
            shrunk = F.interpolate(x[rows], size=(small, small), mode="bilinear", antialias=True)
            x[rows] = F.interpolate(shrunk, size=(side, side), mode="bilinear")
    return x


def blur(x: Tensor, rng: Generator, *, p: float, sigma_px: float) -> Tensor:
    """Gaussian blur, standard deviation up to `sigma_px`; one strength for each quarter of a batch."""
    x = x.clone()
    for rows in chosen_rows(len(x), p, rng).nonzero().flatten().tensor_split(4):
        if len(rows):
            sigma = 0.2 + (sigma_px - 0.2) * float(torch.rand((), generator=rng))
            reach = max(1, round(2.5 * sigma))
            taps = torch.exp(-(torch.arange(-reach, reach + 1, device=x.device) ** 2) / (2 * sigma**2))
            taps = (taps / taps.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, taps)
            rows = moved(rows, x.device)
            padded = F.pad(x[rows], [reach] * 4, mode="replicate")
            across = F.conv2d(padded, taps, groups=x.shape[1])
            x[rows] = F.conv2d(across, taps.transpose(2, 3), groups=x.shape[1])
    return x


def jpeg(x: Tensor, rng: Generator, *, p: float, quality: tuple[int, int]) -> Tensor:
    """JPEG's own artefacts, by Pillow on the CPU."""
    x = x.clone()
    for row in chosen_rows(len(x), p, rng).nonzero().flatten().tolist():
        pixels = x[row].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        file = io.BytesIO()
        level = int(torch.randint(quality[0], quality[1] + 1, (), generator=rng))
        Image.fromarray(pixels).save(file, "JPEG", quality=level)
        back = torch.from_numpy(np.array(Image.open(file)))
        x[row] = back.permute(2, 0, 1).to(x.device, x.dtype) / 255
    return x


def noise(x: Tensor, rng: Generator, *, p: float, sigma: float) -> Tensor:
    """Gaussian noise of standard deviation up to `sigma`."""
    strength = sigma * torch.rand(len(x), 1, 1, 1, generator=rng) * chosen_rows(len(x), p, rng).view(-1, 1, 1, 1)
    if x.device.type == "cpu":
        grain = torch.randn(x.shape, generator=rng)
    else:  # so many numbers are drawn where they are needed
        grain = torch.randn(x.shape, generator=generator_on(x.device, rng), device=x.device)
    return (x + grain * moved(strength, x.device)).clamp(0, 1)


def camera_noise(x: Tensor, rng: Generator, *, p: float, sigma: float, at_px: int) -> Tensor:
    """Gaussian noise of standard deviation `sigma`, as it were added at a side of `at_px` before resizing."""
    rows = chosen_rows(len(x), p, rng).nonzero().flatten()
    grain = moved(torch.randn(len(rows), x.shape[1], at_px, at_px, generator=rng).to(x.dtype), x.device) * sigma
    if at_px != x.shape[-1]:
        grain = F.interpolate(grain, size=x.shape[-2:], mode="bilinear", antialias=True)
    rows = moved(rows, x.device)
    return x.index_add(0, rows, grain).clamp_(0, 1)
