"""SAMConfig-aware minimisation around any optimizer.

Source: Foret et al., "SAMConfig-Aware Minimization for Efficiently Improving Generalization" (2021), algorithm 1;
the cheaper form is Liu et al., "Towards Efficient and Scalable SAMConfig-Aware Minimization" (2022), LookSAM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SAMConfig:
    """How the worst neighbour is looked for."""

    rho: float = 0.05  # radius of the neighbourhood
    every: int = 1  # 1: exact. k: a second gradient only every k-th step, its direction is reused between
    reuse: float = 0.7  # weight of the reused direction (alpha of LookSAM)


class SAM:
    """Puts into `.grad` what the optimizer should step along.

    Every rank must see the same gradients, as it does after a synchronised backward pass.
    """

    def __init__(self, parameters: Iterable[Tensor], how: SAMConfig) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.how = how
        self._direction: list[Tensor] | None = None  # of LookSAM: what the last second gradient added

    def gradients(self, step: int, backward: Callable[[], Tensor]) -> Tensor:
        """Fill `.grad` for one step and give the loss; `backward` clears, computes and synchronises gradients."""
        loss = backward()
        with torch.no_grad():
            first = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in self.parameters]
            norm = _norm(first)
            if self.how.every > 1 and step % self.how.every and self._direction is not None:
                scale = self.how.reuse * norm / (_norm(self._direction) + 1e-12)
                for parameter, direction in zip(self.parameters, self._direction, strict=True):
                    if parameter.grad is not None:
                        parameter.grad.add_(direction * scale)
                return loss
            kept = [parameter.detach().clone() for parameter in self.parameters]
            for parameter, gradient in zip(self.parameters, first, strict=True):
                parameter.add_(gradient * (self.how.rho / (norm + 1e-12)))
        backward()
        with torch.no_grad():
            for parameter, before in zip(self.parameters, kept, strict=True):
                parameter.copy_(before)  # exactly as it was: subtracting would round
            if self.how.every > 1:
                self._direction = self._added(first, norm)
        return loss

    def state_dict(self) -> dict[str, list[Tensor]]:
        """What the next step needs."""
        return {"direction": self._direction or []}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Go on from `state_dict`."""
        there = [part.to(p.device) for part, p in zip(state["direction"], self.parameters, strict=False)]
        self._direction = there or None

    def _added(self, first: list[Tensor], norm: Tensor) -> list[Tensor]:
        """The part of the second gradient that stands upright on the first."""
        second = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        shared = sum((a * b).sum() for a, b in zip(first, second, strict=True)) / (norm**2 + 1e-12)
        return [b - a * shared for a, b in zip(first, second, strict=True)]


def _norm(tensors: list[Tensor]) -> Tensor:
    """Euclidean length of all tensors together."""
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]))
