"""The exponential moving average of a network's weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = list[Tensor] | tuple[Tensor, ...]


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average that follows quickly at first: its decay is min(decay, (1 + t) / (10 + t)) after t updates.

    Running statistics of batch norms are averaged as well. Source: Polyak and Juditsky (1992); the warm-up is
    that of TensorFlow's ExponentialMovingAverage.
    """

    def update(averages: Tensors, current: Tensors, done: Tensor | int) -> None:
        now = min(decay, (1 + int(done)) / (10 + int(done)))
        get_ema_multi_avg_fn(now)(averages, current, done)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)
