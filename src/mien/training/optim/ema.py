"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """An average that follows quickly at first: its decay is min(decay, (1 + t) / (10 + t)) after t updates.

    Running statistics of batch norms are averaged as well. Updates are counted on the CPU, so that none waits for
    a GPU to tell their number. Source: Polyak and Juditsky (1992); the warm-up is that of TensorFlow's
    ExponentialMovingAverage.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Follow `model`."""
        done = int(self.n_averaged)
        groups: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for average, current in zip(_tensors(self.module), _tensors(model), strict=True):
            averages, currents = groups.setdefault(average.dtype, ([], []))
            averages.append(average.detach())
            currents.append(current.detach())
        follow = get_ema_multi_avg_fn(min(self._decay, (1 + done) / (10 + done)))
        for kind, (averages, currents) in groups.items():
            counts = averages[0].device.type == "cuda" and not kind.is_floating_point  # a kernel each, and unread
            if done and not counts:
                follow(averages, currents, done)
            else:
                torch._foreach_copy_(averages, currents)
        self.n_averaged += 1

    def _apply(self, *args: Any, **kwargs: Any) -> MovingAverage:
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.n_averaged = self.n_averaged.cpu()
        return self


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    return chain(network.parameters(), network.buffers())
