"""Stochastic depth (Huang et al., 2016): drop a residual branch for a whole sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Identity in eval mode; in training a sample's branch is zero with probability `rate`, else / (1 - rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0 or not self.training:
            return x
        kept = torch.empty((len(x),) + (1,) * (x.dim() - 1), device=x.device, dtype=x.dtype)
        return x * kept.bernoulli_(1 - self.rate).div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
