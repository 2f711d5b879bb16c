"""Sharpness-aware minimisation around any optimizer.

Source: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization" (2021), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SAMConfig(Settings):
    """Settings of SAM."""

    rho: float = 0.05  # radius of the neighbourhood

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(0, "rho")


class SAM:
    """Puts into `.grad` the gradient at the worst neighbour, for the optimizer to step along.

    Every rank must see the same gradients, as it does after a synchronised backward pass.
    """

    def __init__(self, parameters: Iterable[Tensor], config: SAMConfig) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.config = config

    def gradients(self, backward: Callable[[], Tensor]) -> Tensor:
        """Fill `.grad` for one step and give the loss; `backward` clears, computes and synchronises gradients."""
        loss = backward()
        with torch.no_grad():
            first = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in self.parameters]
            kept = [parameter.detach().clone() for parameter in self.parameters]
            scale = self.config.rho / (norm(first) + 1e-12)
            for parameter, gradient in zip(self.parameters, first, strict=True):
                parameter.add_(gradient * scale)
        backward()
        with torch.no_grad():
            for parameter, before in zip(self.parameters, kept, strict=True):
                parameter.copy_(before)  # exactly as it was: subtracting would round
        return loss


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """Euclidean length of all tensors together."""
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]))
