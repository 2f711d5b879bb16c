from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.training.optim.sam import SAM, SAMConfig


def quadratic() -> tuple[nn.Parameter, object]:
    """x^T D x / 2 with D = diag(1, 4) at (3, 1): gradient (3, 4), of length 5."""
    x = nn.Parameter(torch.tensor([3.0, 1.0]))

    def backward() -> Tensor:
        x.grad = None
        loss = (torch.tensor([1.0, 4.0]) * x**2).sum() / 2
        loss.backward()
        return loss.detach()

    return x, backward


def test_the_gradient_is_that_of_the_worst_neighbour() -> None:
    x, backward = quadratic()
    loss = SAM([x], SAMConfig(rho=0.5)).gradients(backward)
    assert loss == 6.5  # at the point itself
    torch.testing.assert_close(x.detach(), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(x.grad, torch.tensor([3.3, 5.6]))  # at (3.3, 1.4)


def test_frozen_parameters_are_not_moved() -> None:
    x, backward = quadratic()
    frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    SAM([x, frozen], SAMConfig()).gradients(backward)
    assert frozen.tolist() == [1, 1]
