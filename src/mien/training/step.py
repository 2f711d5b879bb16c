"""One optimizer step: every micro-batch of a batch forward and backward, twice with SAM."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.training.objective import Objective, TrainingBatch
from mien.training.optim.ghost_batch_norm import GhostStatistics
from mien.training.optim.optimizer import set_training
from mien.training.optim.sam import SAM, norm
from mien.training.recipe import Recipe


class Step:
    """Called once a step with the micro-batches of this process."""

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        module: _FabricModule,
        optimizer: torch.optim.Optimizer,
        fabric: Fabric,
    ) -> None:
        self.recipe, self.objective, self.module, self.optimizer = recipe, objective, module, optimizer
        self.fabric, world = fabric, fabric.world_size
        size = recipe.micro_batch or recipe.batch // world
        if not size or recipe.batch % (size * world):
            raise OptionError(
                f"batch {recipe.batch} with micro_batch {size} cannot be shared evenly by {world} processes"
            )
        if size == 1 and any(isinstance(one, _BatchNorm) for one in objective.module.modules()):
            raise OptionError(f"{recipe.network} has batch norms: no process may have 1 image; enlarge batch")
        self.micro_batches = recipe.batch // size  # of all processes
        self.sam = SAM(objective.module.parameters(), recipe.sam) if recipe.sam else None
        needed = self.micro_batches > 1 or self.sam is not None
        self.ghost = GhostStatistics(objective.module) if needed else None

    @property
    def mine(self) -> range:
        """The micro-batches of this process."""
        return range(self.fabric.global_rank, self.micro_batches, self.fabric.world_size)

    def __call__(self, step: int, batches: list[TrainingBatch]) -> float:
        """The mean loss over the batch; `batches`: one for each of `mine`.

        NaN where loss or gradient are not finite: then network and optimizer are as before.
        """
        set_training(self.objective, self.recipe)
        passes = iter(range(2))

        def backward() -> Tensor:
            return self._backward(step, batches, second=next(passes) == 1)

        buffers = [(buffer, buffer.clone()) for buffer in self.objective.module.buffers()]
        loss = backward() if self.sam is None else self.sam.gradients(backward)
        finite = bool(torch.isfinite(loss + self._clipped_norm()))
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)  # of float16, which skips the step itself
        if finite or scaler is not None:
            self.optimizer.step()
        if finite:
            return float(loss)
        with torch.no_grad():
            for buffer, before in buffers:  # statistics of batch norms
                buffer.copy_(before)
        return math.nan

    def _clipped_norm(self) -> Tensor:
        """Euclidean norm of the gradient, which is clipped where the recipe says so."""
        clip = self.recipe.optimizer.grad_clip
        if clip is None:
            gradients = [p.grad for p in self.objective.module.parameters() if p.grad is not None]
            return norm(gradients)
        clipped = self.fabric.clip_gradients(self.module, self.optimizer, max_norm=clip, error_if_nonfinite=False)
        return cast(Tensor, clipped)

    def _backward(self, step: int, batches: list[TrainingBatch], *, second: bool) -> Tensor:
        """Gradients of the mean loss over the whole batch, and that loss."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.ghost is not None:
            self.ghost.begin()
        total = torch.zeros((), device=self.fabric.device)
        for i, batch in zip(self.mine, batches, strict=True):
            torch.manual_seed(seed_of(self.recipe.seed, step, i) + 1)  # dropout and stochastic depth
            with self.fabric.no_backward_sync(self.module, enabled=batch is not batches[-1]):
                loss = self.objective.loss(self.module, batch)
                self.fabric.backward(loss / len(batches))
            total += loss.detach() / self.micro_batches
            if self.ghost is not None:
                self.ghost.next_micro_batch()
        if self.ghost is not None:
            if second and not self.recipe.sam_second_pass_statistics:
                self.ghost.restore()
            else:
                self.ghost.end(self._sum, self.micro_batches)
        return self._sum(total)

    def _sum(self, values: Tensor) -> Tensor:
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op="sum"))


def seed_of(seed: int, step: int, micro_batch: int) -> int:
    """A seed for one micro-batch of one step, far from its neighbours'."""
    mixed = np.random.SeedSequence([seed, step, micro_batch]).generate_state(1, np.uint64)[0]
    return int(mixed >> np.uint64(2))
