"""What training minimises: cross entropy on distributions and its relatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A sum of terms over logits (B, K) and target distributions (B, K) whose rows sum to 1.

    POSTER's published loss is `Loss(ce_weight=1, smoothed_ce_weight=2, label_smoothing=0.2)`: CE + 2 LSCE(0.2).
    """

    ce_weight: float = 1.0  # weight of the cross entropy with the targets as they are
    smoothed_ce_weight: float = 0.0  # weight of the cross entropy with smoothed targets
    label_smoothing: float = 0.1  # share of the target spread evenly over all classes, the true one included
    focal: float = 0.0  # gamma of the focal loss (Lin et al., 2017): (1 - p)^gamma on every class's term
    balance: float = 0.0  # beta of class-balanced weights (Cui et al., 2019); 0: every class weighs the same
    distillation_weight: float = 0.0  # weight of the teacher's term (Hinton et al., 2015)
    temperature: float = 2.0  # of teacher and student in that term

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1 or not 0 <= self.balance < 1:
            raise OptionError(f"label_smoothing {self.label_smoothing} and balance {self.balance} must lie in 0..1")

    def __call__(
        self, logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, teacher: Tensor | None = None
    ) -> Tensor:
        """The mean over the batch. `weights` (K,): from `class_weights`; `teacher`: its logits (B, K)."""
        log_p = F.log_softmax(logits, dim=-1)  # (B, K)
        if self.focal:
            log_p = log_p * (1 - log_p.exp()) ** self.focal
        if weights is not None:
            log_p = log_p * weights
        total = -self.ce_weight * (targets * log_p).sum(-1)
        if self.smoothed_ce_weight:
            even = targets * (1 - self.label_smoothing) + self.label_smoothing / logits.shape[-1]
            total = total - self.smoothed_ce_weight * (even * log_p).sum(-1)
        if self.distillation_weight and teacher is not None:
            total = total + self.distillation_weight * distillation(logits, teacher, self.temperature)
        return total.mean()


def distillation(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher / T || student / T) for each row (B,); T^2 keeps the gradients' size (Hinton et al., 2015)."""
    wanted = F.log_softmax(teacher / temperature, dim=-1)
    given = F.log_softmax(logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(given, wanted, log_target=True, reduction="none").sum(-1)


def class_weights(counts: Tensor, beta: float) -> Tensor:
    """(1 - beta) / (1 - beta^n) per class, scaled to a mean of 1 (Cui et al., 2019, equation 2)."""
    weights = (1 - beta) / (1 - torch.pow(beta, counts.double().clamp(min=1)))
    return (weights / weights.mean()).float()
