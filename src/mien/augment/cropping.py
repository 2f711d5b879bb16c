"""Random crops of canvases of faces, on whatever device the batch lives, and where points of them lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mien.augment.draws import chosen_rows, cut_normal
from mien.augment.moving import moved


@dataclass(frozen=True, kw_only=True)
class CenterCrop:
    """Exactly the aligned face, flipped or not."""

    flip: float = 0.0  # probability


@dataclass(frozen=True, kw_only=True)
class RandomAffine:
    """How far a crop may stray from the aligned one."""

    rotate_deg: float = 10.0  # standard deviation
    scale: tuple[float, float] = (0.88, 1.12)  # side of the crop in aligned sides; above 1 shows more
    shift: float = 0.04  # standard deviation in sides
    shear_deg: float = 0.0  # standard deviation
    flip: float = 0.5  # probability


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop:
    """A part of the aligned face, turned first: the usual random resized crop."""

    area: tuple[float, float] = (0.8, 1.0)  # of the aligned face, uniform
    ratio: tuple[float, float] = (1.0, 1.0)  # width / height, log-uniform
    rotate_deg: float = 0.0  # uniform in both directions, about the middle of the aligned face
    rotate_p: float = 1.0
    black_border: bool = (
        True  # what lies outside the aligned face, as published; otherwise its surroundings are shown
    )
    flip: float = 0.5  # probability


def crop(
    canvas: Tensor,
    size_px: int,
    rng: Generator,
    config: CenterCrop | RandomAffine | RandomResizedCrop,
    *,
    aligned_px: int,
) -> tuple[Tensor, Tensor]:
    """One crop of each canvas in the given way, float in 0..1 or, where nothing but size changed, still uint8.

    Shapes as `random_affine`.
    """
    if isinstance(config, CenterCrop):
        return center_crop(canvas, size_px, rng, config, aligned_px=aligned_px)
    if isinstance(config, RandomAffine):
        return random_affine(canvas, size_px, rng, config, aligned_px=aligned_px)
    return random_resized_crop(canvas, size_px, rng, config, aligned_px=aligned_px)


def center_crop(
    canvas: Tensor, size_px: int, rng: Generator, config: CenterCrop, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """The aligned face alone, still in uint8; otherwise as `random_affine`. Resized with antialiasing."""
    b, _, side, _ = canvas.shape
    margin = (side - aligned_px) // 2
    crops = canvas[:, :, margin : side - margin, margin : side - margin].contiguous()
    flip = chosen_rows(b, config.flip, rng)
    if flip.any():
        rows = moved(flip.nonzero().flatten(), canvas.device)
        crops[rows] = crops[rows].flip(-1)
    if size_px != aligned_px:
        if canvas.device.type == "cpu":
            crops = F.interpolate(crops, size=(size_px, size_px), mode="bilinear", antialias=True)
        else:  # there is no kernel for bytes
            crops = F.interpolate(crops.float(), size=(size_px, size_px), mode="bilinear", antialias=True)
            crops = crops.round_().byte()
    zoom = size_px / aligned_px
    matrices = torch.zeros(b, 2, 3)
    matrices[:, 0, 0] = torch.where(flip, -zoom, zoom)
    matrices[:, 0, 2] = torch.where(flip, (aligned_px + margin) * zoom, -margin * zoom)
    matrices[:, 1, 1], matrices[:, 1, 2] = zoom, -margin * zoom
    return crops, matrices


def random_affine(
    canvas: Tensor, size_px: int, rng: Generator, config: RandomAffine, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """Cut one crop from the middle of each canvas.

    Canvas (B, C, S, S) uint8 whose middle `aligned_px` pixels are the aligned face -> crops (B, C, size, size)
    in 0..1 and the matrices (B, 2, 3) that take canvas pixels onto crop pixels. Beyond the canvas its edge
    is repeated.
    """
    b, _, side, _ = canvas.shape
    turn = cut_normal(b, rng) * np.deg2rad(config.rotate_deg)
    low, high = np.log(config.scale[0]), np.log(config.scale[1])
    scale = torch.exp(low + (high - low) * torch.rand(b, generator=rng))
    zoom = scale * aligned_px / size_px  # canvas pixels per crop pixel
    strayed = torch.stack([cut_normal(b, rng), cut_normal(b, rng)], dim=1)
    shift = strayed * config.shift * aligned_px * scale[:, None]
    flip = 1 - 2 * chosen_rows(b, config.flip, rng).float()
    back = _rotated(turn, zoom, zoom, flip)
    if config.shear_deg:
        shear = torch.eye(2).repeat(b, 1, 1)
        shear[:, 0, 1] = torch.tan(cut_normal(b, rng) * np.deg2rad(config.shear_deg))
        back = back @ shear
    return _resample(canvas, size_px, back, side / 2 + shift)


def random_resized_crop(
    canvas: Tensor, size_px: int, rng: Generator, config: RandomResizedCrop, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """A random part of each aligned face; shapes as `random_affine`.

    The area is drawn uniformly, the ratio log-uniformly; where the part would be wider or higher than the face
    it is cut to it (torchvision draws again, up to ten times). Its position is uniform inside the face.
    """
    b, _, side, _ = canvas.shape
    area = config.area[0] + (config.area[1] - config.area[0]) * torch.rand(b, generator=rng)
    low, high = np.log(config.ratio[0]), np.log(config.ratio[1])
    ratio = torch.exp(low + (high - low) * torch.rand(b, generator=rng))
    wide, tall = (torch.sqrt(area * r).clamp(max=1) * aligned_px for r in (ratio, 1 / ratio))
    free = torch.stack([aligned_px - wide, aligned_px - tall], dim=1)
    shift = (torch.rand(b, 2, generator=rng) - 0.5) * free
    turn = (2 * torch.rand(b, generator=rng) - 1) * np.deg2rad(config.rotate_deg)
    turn = turn * chosen_rows(b, config.rotate_p, rng)
    flip = 1 - 2 * chosen_rows(b, config.flip, rng).float()
    back = _rotated(turn, wide / size_px, tall / size_px, flip)
    one = torch.ones(b)
    middle = side / 2 + (_rotated(turn, one, one, one) @ shift[..., None])[..., 0]
    return _resample(
        canvas, size_px, back, middle, black_from=(side - aligned_px) // 2 if config.black_border else None
    )


def move_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (B, P, 2) under matrices (B, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, :, 2][:, None]


def _rotated(turn: Tensor, wide: Tensor, tall: Tensor, flip: Tensor) -> Tensor:
    """Crop pixels -> canvas pixels (B, 2, 2): scaled by (wide, tall), flipped, turned (radians)."""
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = [
        torch.stack([cos * wide * flip, -sin * tall], dim=1),
        torch.stack([sin * wide * flip, cos * tall], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _resample(
    canvas: Tensor, size_px: int, back: Tensor, middle: Tensor, *, black_from: int | None = None
) -> tuple[Tensor, Tensor]:
    """Crops (B, C, size, size) in 0..1 and the matrices (B, 2, 3) from canvas to crop pixels.

    `back`: crop pixels -> canvas pixels (B, 2, 2), `middle`: the crop's middle on the canvas (B, 2).
    `black_from`: everything this near to the canvas's edge counts as black; None: the edge is repeated outside.
    """
    b = len(canvas)
    margin = black_from or 0
    part = canvas[:, :, margin : canvas.shape[2] - margin, margin : canvas.shape[3] - margin]
    side = part.shape[-1]
    # grid_sample counts -1..1 between the outer edges of what it is given
    at = (torch.arange(size_px, device=canvas.device) + 0.5 - size_px / 2) * (2 / side)
    turn, start = moved(back, canvas.device), moved((middle - margin) * (2 / side) - 1, canvas.device)
    grid = torch.empty(b, size_px, size_px, 2, device=canvas.device)
    for axis in (0, 1):
        across = turn[:, axis, 0, None, None] * at[None, None, :] + start[:, axis, None, None]
        torch.add(across, turn[:, axis, 1, None, None] * at[None, :, None], out=grid[..., axis])
    padding = "border" if black_from is None else "zeros"
    crops = F.grid_sample(part.float(), grid, padding_mode=padding, align_corners=False).div_(255)
    forth = torch.linalg.inv(back)
    offset = middle - back.sum(dim=2) * size_px / 2  # where the crop's corner lies
    return crops, torch.cat([forth, -(forth @ offset[..., None])], dim=2)
