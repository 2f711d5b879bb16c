"""Batch norms that do not depend on how a batch is spread over processes.

Each micro-batch is normalised by its own mean and variance ("ghost batch normalisation", Hoffer et al., 2017), and
the running statistics after a step are the mean over the micro-batches of all processes. So one process with the
same batch ends with the same numbers as several.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class GhostStatistics:
    """The running means and variances of a network's batch norms over one step."""

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._before: list[Tensor] = []
        self._sums: list[Tensor] = []
        self._count = 0

    def begin(self) -> None:
        """Before the first micro-batch of a step."""
        self._before = [buffer.clone() for buffer in self._buffers()]
        self._sums = [torch.zeros_like(buffer) for buffer in self._before]
        self._count = 0

    def next_micro_batch(self) -> None:
        """After each micro-batch: add its statistics to the sum, and put the earlier ones back."""
        self._count += 1
        for buffer, total, before in zip(self._buffers(), self._sums, self._before, strict=True):
            total.add_(buffer)
            buffer.copy_(before)

    def end(self, sum_over_processes: Callable[[Tensor], Tensor], count: int) -> None:
        """After the last micro-batch: the mean over all `count` of all processes."""
        for buffer, total in zip(self._buffers(), self._sums, strict=True):
            buffer.copy_(sum_over_processes(total) / count)
        for norm in self._norms:
            if norm.training and norm.num_batches_tracked is not None:
                norm.num_batches_tracked -= self._count - 1  # a step is one batch, however it was shared

    def restore(self) -> None:
        """As they were before the step: a second pass over the same images leaves no trace."""
        for buffer, before in zip(self._buffers(), self._before, strict=True):
            buffer.copy_(before)
        for norm in self._norms:
            if norm.training and norm.num_batches_tracked is not None:
                norm.num_batches_tracked -= self._count

    def _buffers(self) -> list[Tensor]:
        buffers = []
        for norm in self._norms:
            if norm.training and norm.running_mean is not None and norm.running_var is not None:
                buffers += [norm.running_mean, norm.running_var]
        return buffers
