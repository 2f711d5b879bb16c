"""Mixing images with each other; their labels become distributions.

mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018). The paper draws one share per batch; here
every image has its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from mien.augment.moving import moved


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """lambda x + (1 - lambda) x', lambda from Beta(alpha, alpha), x' another image of the batch."""

    alpha: float = 0.2
    p: float = 1.0  # probability per image


@dataclass(frozen=True, slots=True)
class Mix:
    """What was mixed: image i keeps `own[i]` of itself, the rest is of image `partner[i]`."""

    own: Tensor  # (B,) float, 0..1
    partner: Tensor  # (B,) int

    def labels(self, targets: Tensor) -> Tensor:
        """Distributions (B, K) -> distributions (B, K)."""
        own, partner = moved(self.own.to(targets.dtype), targets.device), moved(self.partner, targets.device)
        return own[:, None] * targets + (1 - own)[:, None] * targets[partner]

    def logits(self, logits: Tensor, temperature: float) -> Tensor:
        """Logits (B, K) of the images -> those of the mean of their distributions, softened by the temperature."""
        return temperature * self.labels((logits / temperature).softmax(dim=-1)).clamp(min=1e-8).log()


def mix(x: Tensor, rng: Generator, config: Mixup, *, groups: Tensor | None = None) -> tuple[Tensor, Mix]:
    """Images (B, C, H, W), mixed, and how. `groups` (B,) on the CPU: only images of one group are mixed."""
    b = len(x)
    draw = np.random.default_rng(int(torch.randint(2**62, (), generator=rng)))  # torch has no seeded Beta
    own = torch.from_numpy(draw.beta(config.alpha, config.alpha, b)).float()
    own = torch.where(torch.rand(b, generator=rng) < config.p, own, 1.0)
    partner = torch.randperm(b, generator=rng)
    if groups is not None:  # the permutation within each group: stable sorts keep its random order
        slots = torch.argsort(groups, stable=True)
        shuffled = partner[torch.argsort(groups[partner], stable=True)]
        partner = torch.empty_like(partner)
        partner[slots] = shuffled
    other = x[moved(partner, x.device)]
    weight = moved(own.to(x.dtype), x.device).view(-1, 1, 1, 1)
    return other + (x - other) * weight, Mix(own, partner)
