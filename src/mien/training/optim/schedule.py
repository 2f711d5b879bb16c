"""The learning rate over a run, as a factor of the recipe's `optimizer.lr`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mien.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Schedule(Settings):
    """Linear warm-up, then a curve."""

    name: Literal["cosine", "exponential", "constant"] = "cosine"  # after the warm-up
    warmup_epochs: float = 0.0  # linear warm-up to the full learning rate
    gamma: float = 0.98  # of the exponential curve, per epoch
    per_epoch: bool = False  # changes once per epoch, as in the published runs, not at every step
    floor: float = 0.0  # the cosine's last factor

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(0, "warmup_epochs", "gamma", "floor")

    def factor(self, step: int, *, per_epoch: int, epochs: int) -> float:
        """Of the learning rate at `step` (from 0) in a run of `epochs` epochs of `per_epoch` steps."""
        warmup = self.warmup_epochs * per_epoch
        if step < warmup:
            return (step + 1) / warmup
        passed = (step // per_epoch * per_epoch if self.per_epoch else step) - (0 if self.per_epoch else warmup)
        length = per_epoch * epochs - (0 if self.per_epoch else warmup)
        if self.name == "cosine":
            return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * min(1.0, passed / max(1.0, length)))) / 2
        return self.gamma ** (passed / per_epoch) if self.name == "exponential" else 1.0
