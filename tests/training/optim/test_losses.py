from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from mien.errors import OptionError
from mien.training.optim.losses import Loss, distillation

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])
TARGETS = F.one_hot(LABELS, 3).float()


def test_the_plain_loss_is_cross_entropy() -> None:
    torch.testing.assert_close(Loss()(LOGITS, TARGETS), F.cross_entropy(LOGITS, LABELS))


def test_posters_loss_is_cross_entropy_and_twice_the_smoothed() -> None:
    wanted = F.cross_entropy(LOGITS, LABELS) + 2 * F.cross_entropy(LOGITS, LABELS, label_smoothing=0.2)
    torch.testing.assert_close(Loss(smoothed_ce_weight=2, label_smoothing=0.2)(LOGITS, TARGETS), wanted)


def test_distributions_are_targets() -> None:
    votes = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]])
    torch.testing.assert_close(Loss()(LOGITS, votes), F.cross_entropy(LOGITS, votes))


def test_a_student_like_its_teacher_has_nothing_to_learn() -> None:
    assert distillation(LOGITS, LOGITS + 3, 2.0).abs().max() < 1e-6


def test_distillation_by_hand() -> None:
    teacher, student = torch.tensor([[2 * math.log(3.0), 0.0]]), torch.zeros(1, 2)
    wanted = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert distillation(student, teacher, 2.0).item() == pytest.approx(wanted)


def test_shares_outside_0_to_1_are_refused() -> None:
    with pytest.raises(OptionError, match="label_smoothing 1"):
        Loss(label_smoothing=1.0)
