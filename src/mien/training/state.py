"""What changes in a run from one step to the next: `last.pt` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric.plugins import Precision

from mien.training.objective import Objective
from mien.training.optim.ema import MovingAverage
from mien.training.optim.optimizer import load_state


@dataclass(eq=False, kw_only=True)
class TrainingState:
    """The steps done, what they came to, and everything that they have changed."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    ema: MovingAverage | None
    precision: Precision
    step: int = 0  # so many are done
    history: list[dict[str, Any]] = field(default_factory=list)  # the epochs done
    losses: list[float] = field(default_factory=list)  # the steps of the epoch begun; NaN: skipped

    def to_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            "step": self.step,
            "history": self.history,
            "losses": self.losses,
            "network": self.objective.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.precision.state_dict(),  # of float16's gradients
            "ema": None if self.ema is None else self.ema.state_dict(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` gave, perhaps on another device."""
        self.step, self.history, self.losses = saved["step"], list(saved["history"]), list(saved["losses"])
        self.objective.module.load_state_dict(saved["network"])
        load_state(self.optimizer, saved["optimizer"])
        if scaler := saved.get("scaler"):  # absent from runs of earlier versions
            self.precision.load_state_dict(scaler)
        if self.ema is not None:
            self.ema.load_state_dict(saved["ema"])
