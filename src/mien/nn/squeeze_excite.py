"""Channel weights from the vector itself: the last layer before the head of POSTER and POSTER++."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Hu et al. (2018) on a vector, without the usual reduction in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, width)
        self.linear2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, C)."""
        return x * torch.sigmoid(self.linear2(F.relu(self.linear1(x))))
