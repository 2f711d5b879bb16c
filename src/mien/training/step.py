"""One optimizer step: every micro-batch of a batch forward and backward, twice with SAM."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.training.graph import CudaRecorder, Recorder, SavedTensors, fill, fits, fixed, recordable, skipped_where
from mien.training.objective import Objective, TrainingBatch
from mien.training.optim.ghost_batch_norm import GhostStatistics
from mien.training.optim.optimizer import build_optimizer, freeze, fusible, set_training
from mien.training.optim.sam import SAM, norm
from mien.training.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

log = logging.getLogger(__name__)

UNRECORDED = 3  # steps before one is recorded: they make what the optimizer keeps, and choose kernels


class Step:
    """Takes the micro-batches of this process, once a step.

    With the recipe's `cuda_graph`, on one GPU, a step is recorded after a few and repeated from then on; `recorder`
    takes the place of the GPU's.
    """

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        module: _FabricModule,
        optimizer: torch.optim.Optimizer,
        fabric: Fabric,
        *,
        recorder: Recorder | None = None,
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
        self._before = SavedTensors(objective.module.buffers())  # statistics of batch norms
        self._recorder = recorder or self._recorder_of_the_gpu()
        self._unrecorded, self._loss = 0, torch.zeros((), device=fabric.device)
        self._nan = torch.full((), math.nan, device=fabric.device)
        self._fixed: TrainingBatch | None = None  # the inputs of the recorded step
        self.rates = [group["lr"] for group in optimizer.param_groups]  # before the schedule
        if self._recorder is not None:
            recordable(_inner(optimizer), fabric.device)

    @property
    def mine(self) -> range:
        """The micro-batches of this process."""
        return range(self.fabric.global_rank, self.micro_batches, self.fabric.world_size)

    @property
    def warm_up(self) -> int:
        """Steps at first that take longer than the others."""
        return 1 if self._recorder is None else UNRECORDED + 2

    def begin(self, step: int, batches: list[TrainingBatch]) -> Callable[[], float]:
        """Start a step; `batches`: one for each of `mine`.

        The result must be called before the next step: it waits for the end and gives the mean loss over the batch,
        NaN where loss or gradient are not finite: then network and optimizer are as before.
        """
        if self._recorder is None:
            loss = self._eager(step, batches)
        elif self._fixed is None and self._unrecorded < UNRECORDED:
            self._unrecorded += 1
            with self._recorder.aside():
                loss = self._eager(step, batches)
        else:
            if self._fixed is None:
                self._record(self._recorder, batches[0])
            if self._fixed is not None and fits(batches[0], self._fixed):
                return self._recorded(self._recorder, self._fixed, step, batches[0])
            loss = self._eager(step, batches)
        return lambda: loss

    def _eager(self, step: int, batches: list[TrainingBatch]) -> float:
        set_training(self.objective, self.recipe)
        passes = iter(range(2))

        def backward() -> Tensor:
            return self._backward(step, batches, second=next(passes) == 1)

        self._before.save()
        loss = backward() if self.sam is None else self.sam.gradients(backward)
        finite = bool(torch.isfinite(loss + self._clipped_norm()))
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)  # of float16, which skips the step itself
        if finite or scaler is not None:
            self.optimizer.step()
        if finite:
            return float(loss)
        self._before.restore()
        return math.nan

    def _recorder_of_the_gpu(self) -> Recorder | None:
        if not self.recipe.cuda_graph or self.fabric.device.type != "cuda":
            return None
        reasons = {
            "the step has several micro-batches": self.micro_batches > 1,
            "it has SAM": self.sam is not None,
            "float16 scales its gradients": self.recipe.precision == "16-mixed",
        }
        if lacking := [reason for reason, holds in reasons.items() if holds]:
            log.warning("cuda_graph is left out: %s", ", ".join(lacking))
            return None
        return CudaRecorder(self.fabric.device)

    def _record(self, recorder: Recorder, batch: TrainingBatch) -> None:
        """Record the step, on tensors of its own that take the batches; where that fails, steps stay eager."""
        set_training(self.objective, self.recipe)
        inputs = fixed(batch)
        try:
            recorder.record(lambda: self._complete(inputs))
        except RuntimeError as error:
            log.warning("the step runs without a CUDA graph, which could not be recorded: %s", error)
            self.optimizer.zero_grad(set_to_none=True)
            self._recorder = None
        else:
            self._fixed = inputs
            log.info("the step is recorded as a CUDA graph")

    def _complete(self, batch: TrainingBatch) -> None:
        """All of a step without waiting for it; where it is not finite, only buffers change."""
        self.optimizer.zero_grad(set_to_none=True)
        self._before.save()
        loss = self.objective.loss(self.module, batch)
        self.fabric.backward(loss)
        with torch.no_grad():
            finite = torch.isfinite(loss + self._clipped_norm())
            with skipped_where(1 - finite.float(), _inner(self.optimizer)):
                self.optimizer.step()
            self._loss.copy_(torch.where(finite, loss, self._nan))

    def _recorded(
        self, recorder: Recorder, inputs: TrainingBatch, step: int, batch: TrainingBatch
    ) -> Callable[[], float]:
        if not self.objective.network.training:
            set_training(self.objective, self.recipe)
        fill(inputs, batch)
        torch.manual_seed(seed_of(self.recipe.seed, step, 0) + 1)  # dropout and stochastic depth
        recorder.replay()
        loss = recorder.read(self._loss)

        def wait() -> float:
            value = loss()
            if not math.isfinite(value):
                self._before.restore()
            return value

        return wait

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
            torch.manual_seed(seed_of(self.recipe.seed, step, i) + 1 + second)  # dropout, stochastic depth
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


def make_step(recipe: Recipe, objective: Objective, fabric: Fabric) -> tuple[Step, torch.optim.Optimizer]:
    """The step of an objective, of which the recipe's parts are frozen, and torch's own optimizer."""
    freeze(objective, recipe)
    optimizer = build_optimizer(objective, recipe, fused=fusible(recipe, fabric.device))
    module, wrapped = fabric.setup(objective.module, optimizer)
    return Step(recipe, objective, module, wrapped, fabric), optimizer


def _inner(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Torch's own optimizer, within Fabric's."""
    return cast(torch.optim.Optimizer, getattr(optimizer, "optimizer", optimizer))


def seed_of(seed: int, step: int, micro_batch: int) -> int:
    """A seed for one micro-batch of one step, far from its neighbours'."""
    mixed = np.random.SeedSequence([seed, step, micro_batch]).generate_state(1, np.uint64)[0]
    return int(mixed >> np.uint64(2))
