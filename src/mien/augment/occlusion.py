"""Rectangles that cover a part of an image.

Images (B, 3, H, W) and a `torch.Generator` of the CPU; the result has the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mien.augment.draws import chosen_rows, generator_on
from mien.augment.moving import moved


def occlude(x: Tensor, rng: Generator, *, p: float, area: tuple[float, float]) -> Tensor:
    """Cover a rectangle with one colour or noise (Zhong et al., "Random Erasing", 2017)."""
    if x.device.type != "cpu":
        return occlude_together(x, rng, p=p, area=area)
    x = x.clone()
    side = x.shape[-1]
    for row in chosen_rows(len(x), p, rng).nonzero().flatten().tolist():
        part, shape, down, right, kind = torch.rand(5, generator=rng).tolist()
        covered = (area[0] + (area[1] - area[0]) * part) * side * side
        ratio = 0.3 * (3.3 / 0.3) ** shape
        high = min(side, max(1, round((covered * ratio) ** 0.5)))
        wide = min(side, max(1, round((covered / ratio) ** 0.5)))
        top, left = int(down * (side - high + 1)), int(right * (side - wide + 1))
        fill = torch.rand((3, high, wide) if kind < 0.3 else (3, 1, 1), generator=rng)
        x[row, :, top : top + high, left : left + wide] = fill
    return x


def occlude_together(x: Tensor, rng: Generator, *, p: float, area: tuple[float, float]) -> Tensor:
    """`occlude` of all images at once, for a GPU, where a kernel for each image would take longer.

    The same distributions; the noise is drawn where the images are.
    """
    b, _, height, width = x.shape
    part, shape, down, right, kind = torch.rand(5, b, generator=rng)
    covered = (area[0] + (area[1] - area[0]) * part) * width * width
    ratio = 0.3 * (3.3 / 0.3) ** shape
    high, wide = (side.sqrt().round().clamp(1, width) for side in (covered * ratio, covered / ratio))
    top, left = (down * (width - high + 1)).floor(), (right * (width - wide + 1)).floor()
    high = torch.where(chosen_rows(b, p, rng), high, 0.0)
    colour = torch.rand(b, 3, generator=rng)
    drawn = torch.cat(
        [torch.stack([top, top + high, left, left + wide, (kind < 0.3).float()], dim=1), colour], dim=1
    )
    drawn = moved(drawn, x.device)[..., None, None]  # (B, 8, 1, 1)
    begin, end, first, last, noisy = drawn[:, :5].unbind(dim=1)  # (B, 1, 1) each
    row, column = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    inside = (row >= begin) & (row < end) & (column >= first) & (column < last)  # (B, H, W)
    grain = torch.rand(x.shape, generator=generator_on(x.device, rng), device=x.device)
    fill = torch.where(noisy[:, None] > 0, grain, drawn[:, 5:])
    return torch.where(inside[:, None], fill, x)


@dataclass(frozen=True, kw_only=True)
class RandomErasing:
    """A rectangle of normalised images is overwritten (Zhong et al., "Random Erasing", 2017)."""

    p: float = 0.5
    area: tuple[float, float] = (0.02, 0.1)  # of the image, uniform
    ratio: tuple[float, float] = (0.3, 3.3)  # height / width
    uniform_ratio: bool = False  # as mmclassification draws it; otherwise log-uniform, as torchvision does
    noise: bool = False  # fill with N(0, 1) per value; otherwise with 0


def erase_(x: Tensor, rng: Generator, config: RandomErasing) -> Tensor:
    """Normalised images (B, C, H, W), a rectangle of some overwritten in place.

    Ten draws per image, of which the first that fits is taken; an image where none fits stays.
    """
    b, _, height, width = x.shape
    part, shape, top, left = torch.rand(4, b, 10, generator=rng).unbind(0)
    covered = (config.area[0] + (config.area[1] - config.area[0]) * part) * height * width
    low, high = config.ratio
    ratio = low + (high - low) * shape if config.uniform_ratio else low * (high / low) ** shape
    tall, wide = torch.sqrt(covered * ratio).round(), torch.sqrt(covered / ratio).round()
    fits = (tall < height) & (wide < width) & (tall > 0) & (wide > 0)
    first = fits.float().argmax(dim=1, keepdim=True)
    chosen = chosen_rows(b, config.p, rng) & fits.any(dim=1)
    tall, wide, top, left = (value.gather(1, first)[:, 0] for value in (tall, wide, top, left))
    y0, x0 = top * (height - tall + 1), left * (width - wide + 1)
    rectangles = torch.stack([y0, x0, tall, wide], dim=1).long().tolist()
    for row in chosen.nonzero().flatten().tolist():
        y, z, high, broad = rectangles[row]
        part = x[row, :, y : y + high, z : z + broad]
        part.copy_(torch.randn(part.shape, generator=rng)) if config.noise else part.zero_()
    return x
