"""Stochastic depth (Huang et al., 2016): drop a residual branch for a whole sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Identity in eval mode; in training zero with probability `rate`, else divided by 1 - rate.

    The first `sample_dims` axes say what one sample is: the batch, or stream and batch.
    """

    def __init__(self, rate: float, *, sample_dims: int = 1) -> None:
        super().__init__()
        self.rate, self.sample_dims = rate, sample_dims

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0 or not self.training:
            return x
        shape = x.shape[: self.sample_dims] + (1,) * (x.dim() - self.sample_dims)
        kept = torch.empty(shape, device=x.device, dtype=x.dtype)
        return x * kept.bernoulli_(1 - self.rate).div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
