from __future__ import annotations

import torch
from torch import nn

from mien.training.optim.ghost_batch_norm import GhostStatistics


def test_running_statistics_are_the_mean_over_the_parts() -> None:
    norm = nn.BatchNorm1d(2, momentum=0.5)
    parts = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    ghost = GhostStatistics(norm)
    ghost.begin()
    for part in parts:
        norm(part)
        ghost.next_micro_batch()
    ghost.end(lambda total: total, 3)
    torch.testing.assert_close(norm.running_mean, 0.5 * parts.mean(dim=(0, 1)))
    torch.testing.assert_close(norm.running_var, 0.5 + 0.5 * parts.var(dim=1).mean(dim=0))


def test_two_processes_end_as_one() -> None:
    parts = torch.randn(2, 8, 2, generator=torch.Generator().manual_seed(0))

    def step(shares: list[int]) -> GhostStatistics:
        ghost = GhostStatistics(norm)
        ghost.begin()
        for i in shares:
            norm(parts[i])
            ghost.next_micro_batch()
        return ghost

    norm = one = nn.BatchNorm1d(2)
    step([0, 1]).end(lambda total: total, 2)
    norm = other = nn.BatchNorm1d(2)
    sums = [total.clone() for total in step([1])._sums]
    norm = two = nn.BatchNorm1d(2)
    step([0]).end(lambda total: total + sums.pop(0), 2)
    torch.testing.assert_close(one.running_mean, two.running_mean)
    assert other is not two


def test_norms_that_do_not_train_are_left_alone() -> None:
    norm = nn.BatchNorm1d(2).eval()
    ghost = GhostStatistics(norm)
    ghost.begin()
    ghost.next_micro_batch()
    ghost.end(lambda total: total, 1)
    assert norm.running_mean.tolist() == [0, 0]
