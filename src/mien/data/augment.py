"""Random changes to batches of faces, on whatever device the batch lives.

Every function takes pictures (B, 3, H, W) float in 0..1 and a `torch.Generator` of the CPU, changes
each picture on its own with probability `share`, and returns a tensor of the same shape.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How far a crop may stray from the aligned one."""

    rotate_deg: float = 10.0  # standard deviation
    scale: tuple[float, float] = (0.88, 1.12)  # side of the crop in aligned sides; above 1 shows more
    shift: float = 0.04  # standard deviation in sides
    flip: float = 0.5  # share mirrored


def place(
    canvas: Tensor, size_px: int, rng: Generator, how: Placement, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """Cut one crop from the middle of each canvas.

    Canvas (B, C, S, S) uint8 whose middle `aligned_px` pixels are the aligned face -> crops (B, C, size, size)
    in 0..1 and the matrices (B, 2, 3) that take canvas pixels onto crop pixels. Beyond the canvas its edge
    is repeated.
    """
    b, _, side, _ = canvas.shape
    turn = _normal(b, rng) * np.deg2rad(how.rotate_deg)
    low, high = np.log(how.scale[0]), np.log(how.scale[1])
    scale = torch.exp(low + (high - low) * torch.rand(b, generator=rng))
    zoom = scale * aligned_px / size_px  # canvas pixels per crop pixel
    shift = torch.stack([_normal(b, rng), _normal(b, rng)], dim=1) * how.shift * aligned_px * scale[:, None]
    mirror = 1 - 2 * _chosen(b, how.flip, rng).float()
    cos, sin = torch.cos(turn) * zoom, torch.sin(turn) * zoom
    rows = [torch.stack([cos * mirror, -sin], dim=1), torch.stack([sin * mirror, cos], dim=1)]
    back = torch.stack(rows, dim=1)  # (B, 2, 2): crop pixels -> canvas pixels
    middle = side / 2 + shift  # (B, 2): where the crop's middle lies on the canvas
    offset = middle - back.sum(dim=2) * size_px / 2  # where its corner lies
    # affine_grid counts -1..1 between the outer edges, for the crop and for the canvas
    theta = torch.cat([back * size_px / side, (middle * 2 / side - 1)[..., None]], dim=2)
    grid = F.affine_grid(theta.to(canvas.device), [b, 1, size_px, size_px], align_corners=False)
    crops = F.grid_sample(canvas.float().div_(255), grid, padding_mode="border", align_corners=False)
    forth = torch.linalg.inv(back)
    return crops, torch.cat([forth, -(forth @ offset[..., None])], dim=2)


def move_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (B, P, 2) under matrices (B, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, :, 2][:, None]


def low_resolution(x: Tensor, rng: Generator, *, share: float, least_px: int) -> Tensor:
    """Shrink to between `least_px` and the full side, and back; pictures in the wild are often small.

    A few sizes per batch keep it fast.
    """
    side = x.shape[-1]
    chosen = _chosen(len(x), share, rng).nonzero().flatten()
    x = x.clone()
    for rows in chosen.tensor_split(4):
        if len(rows):
            small = int(torch.randint(least_px, side, (), generator=rng))
            shrunk = F.interpolate(x[rows], size=(small, small), mode="bilinear", antialias=True)
            x[rows] = F.interpolate(shrunk, size=(side, side), mode="bilinear")
    return x


def blur(x: Tensor, rng: Generator, *, share: float, sigma_px: float) -> Tensor:
    """Gaussian blur, standard deviation up to `sigma_px`; one strength for each quarter of a batch."""
    x = x.clone()
    for rows in _chosen(len(x), share, rng).nonzero().flatten().tensor_split(4):
        if len(rows):
            sigma = 0.2 + (sigma_px - 0.2) * float(torch.rand((), generator=rng))
            reach = max(1, round(2.5 * sigma))
            taps = torch.exp(-(torch.arange(-reach, reach + 1, device=x.device) ** 2) / (2 * sigma**2))
            taps = (taps / taps.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, taps)
            padded = F.pad(x[rows], [reach] * 4, mode="replicate")
            across = F.conv2d(padded, taps, groups=x.shape[1])
            x[rows] = F.conv2d(across, taps.transpose(2, 3), groups=x.shape[1])
    return x


def jpeg(x: Tensor, rng: Generator, *, share: float, quality: tuple[int, int]) -> Tensor:
    """JPEG's own artefacts, by Pillow on the CPU."""
    x = x.clone()
    for row in _chosen(len(x), share, rng).nonzero().flatten().tolist():
        pixels = x[row].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        file = io.BytesIO()
        level = int(torch.randint(quality[0], quality[1] + 1, (), generator=rng))
        Image.fromarray(pixels).save(file, "JPEG", quality=level)
        back = torch.from_numpy(np.array(Image.open(file)))
        x[row] = back.permute(2, 0, 1).to(x.device, x.dtype) / 255
    return x


def colour(x: Tensor, rng: Generator, *, light: float, contrast: float, tint: float, gamma: float) -> Tensor:
    """Brightness, contrast, a gain per channel and a gamma, each uniform within its strength."""

    def factor(strength: float, *shape: int) -> Tensor:
        return (1 + strength * (2 * torch.rand(len(x), *shape, generator=rng) - 1)).to(x.device)

    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * factor(contrast, 1, 1, 1) + mean * factor(light, 1, 1, 1)
    x = (x * factor(tint, x.shape[1], 1, 1)).clamp(1e-4, 1)
    return x ** factor(gamma, 1, 1, 1)


def grey(x: Tensor, rng: Generator, *, share: float) -> Tensor:
    """Luminance in all three channels (ITU-R BT.601 weights)."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    chosen = _chosen(len(x), share, rng).to(x.device).view(-1, 1, 1, 1)
    return torch.where(chosen, (x * weights).sum(1, keepdim=True), x)


def noise(x: Tensor, rng: Generator, *, share: float, sigma: float) -> Tensor:
    """Gaussian noise of standard deviation up to `sigma`."""
    strength = sigma * torch.rand(len(x), 1, 1, 1, generator=rng) * _chosen(len(x), share, rng).view(-1, 1, 1, 1)
    return (x + (torch.randn(x.shape, generator=rng) * strength).to(x.device)).clamp(0, 1)


def occlude(x: Tensor, rng: Generator, *, share: float, area: tuple[float, float]) -> Tensor:
    """Cover a rectangle with one colour or noise (Zhong et al., "Random Erasing", 2017)."""
    x = x.clone()
    side = x.shape[-1]
    for row in _chosen(len(x), share, rng).nonzero().flatten().tolist():
        part, shape, top, left, kind = torch.rand(5, generator=rng).tolist()
        covered = (area[0] + (area[1] - area[0]) * part) * side * side
        ratio = 0.3 * (3.3 / 0.3) ** shape
        high = min(side, max(1, round((covered * ratio) ** 0.5)))
        wide = min(side, max(1, round((covered / ratio) ** 0.5)))
        y, z = int(top * (side - high + 1)), int(left * (side - wide + 1))
        fill = torch.rand((3, high, wide) if kind < 0.3 else (3, 1, 1), generator=rng)
        x[row, :, y : y + high, z : z + wide] = fill.to(x.device)
    return x


def _chosen(count: int, share: float, rng: Generator) -> Tensor:
    return torch.rand(count, generator=rng) < share


def _normal(count: int, rng: Generator) -> Tensor:
    """Standard normal, cut at 2.5 so that no crop leaves its canvas."""
    return torch.randn(count, generator=rng).clamp(-2.5, 2.5)
