"""Parts of the official transformers that two networks share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class SqueezeExcite(nn.Module):
    """Channel weights of a vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, width)
        self.linear2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.linear2(F.relu(self.linear1(x))))


class Head(nn.Module):
    """The last layer under the authors' name for it."""

    def __init__(self, width: int, classes: int, *, name: str) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.get_submodule(self.name)(x)


class DropPath(nn.Module):
    """Stochastic depth over the batch axis; identity in eval mode."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        mask = (keep + torch.rand((x.shape[0],) + (1,) * (x.dim() - 1), dtype=x.dtype, device=x.device)).floor()
        return x.div(keep) * mask


def in_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    b, n, c = x.shape
    return x.reshape(b, n, heads, c // heads).permute(0, 2, 1, 3)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, N, C / heads) -> (B, N, C)."""
    b, heads, n, c = x.shape
    return x.transpose(1, 2).reshape(b, n, heads * c)
