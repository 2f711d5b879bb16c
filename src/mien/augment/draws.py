"""What the random changes draw, always on the CPU, so that a seed means the same on every device."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def chosen_rows(count: int, p: float, rng: Generator) -> Tensor:
    """Mask (count,) of the images that are changed, each with probability `p`."""
    return torch.rand(count, generator=rng) < p


def cut_normal(count: int, rng: Generator) -> Tensor:
    """Standard normal (count,), cut at 2.5 so that no crop leaves its canvas."""
    return torch.randn(count, generator=rng).clamp(-2.5, 2.5)


def generator_on(device: torch.device, rng: Generator) -> Generator:
    """A generator of the images' device, for as many numbers as the images have; it follows from `rng`."""
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))
