"""The training loss: cross entropy with label distributions, label smoothing and distillation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from mien.errors import OptionError
from mien.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Loss(Settings):
    """A sum of terms over logits (B, K) and target distributions (B, K) whose rows sum to 1.

    POSTER's published loss is `Loss(ce_weight=1, smoothed_ce_weight=2, label_smoothing=0.2)`: CE + 2 LSCE(0.2).
    """

    ce_weight: float = 1.0  # of the cross entropy with the targets
    smoothed_ce_weight: float = 0.0  # of the cross entropy with smoothed targets
    label_smoothing: float = 0.1  # part of the smoothed targets that is spread evenly over the known classes
    distillation_weight: float = 0.0  # of the divergence from the teachers (Hinton et al., 2015)
    temperature: float = 2.0  # of teacher and student in that term

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(0, "ce_weight", "smoothed_ce_weight", "distillation_weight")
        if self.temperature <= 0:
            raise OptionError(f"Loss.temperature is {self.temperature}; it must be above 0")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(f"label_smoothing {self.label_smoothing} must be at least 0 and below 1")

    def __call__(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        known: Tensor | None = None,
        teacher: Tensor | None = None,
        student: Tensor | None = None,
    ) -> Tensor:
        """The mean over the batch.

        `known` (B, K) bool: the cross entropies are over these classes, the others get no gradient from them; None:
        all. `teacher`: logits (B, K), over all classes. `student`: the logits that are to be like the teacher's,
        where they are not `logits`.
        """
        if known is None:
            log_p = F.log_softmax(logits, dim=-1)  # (B, K)
            even: Tensor | float = self.label_smoothing / logits.shape[-1]
        else:
            log_p = F.log_softmax(logits.masked_fill(~known, -math.inf), dim=-1).masked_fill(~known, 0.0)
            even = self.label_smoothing * known / known.sum(dim=-1, keepdim=True)
        total = -self.ce_weight * (targets * log_p).sum(-1)
        if self.smoothed_ce_weight:
            smoothed = targets * (1 - self.label_smoothing) + even
            total = total - self.smoothed_ce_weight * (smoothed * log_p).sum(-1)
        logits = logits if student is None else student
        if self.distillation_weight and teacher is not None:
            total = total + self.distillation_weight * distillation(logits, teacher, self.temperature)
        return total.mean()


def distillation(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher / T || student / T) for each row (B,); T^2 keeps the gradients' size (Hinton et al., 2015)."""
    target = F.log_softmax(teacher / temperature, dim=-1)
    log_p = F.log_softmax(logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_p, target, log_target=True, reduction="none").sum(-1)
