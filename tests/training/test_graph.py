"""The recorded step without a GPU: what is recorded is called again, and must do what the eager step does."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from mien.training.graph import Repeated, SavedTensors
from mien.training.objective import Objective, TrainingBatch
from mien.training.optim.optimizer import build_optimizer, load_state, set_rates
from mien.training.recipe import Optimizer, Recipe
from mien.training.step import UNRECORDED, Step
from tests.training.made_up import MadeUp, small_objective

RECIPE = Recipe(name="small", network="small", batch=16, optimizer=Optimizer(lr=0.03, grad_clip=5.0))
STEPS = UNRECORDED + 4


class Counted(Repeated):
    """Counts what is recorded and replayed."""

    recorded = replayed = 0

    def record(self, call: Callable[[], None]) -> None:
        self.recorded += 1
        super().record(call)

    def replay(self) -> None:
        self.replayed += 1
        super().replay()


class Refused(Repeated):
    """Cannot record."""

    def record(self, call: Callable[[], None]) -> None:
        raise RuntimeError("an operation is not permitted")


def batch_of(step: int) -> TrainingBatch:
    rows = np.random.default_rng(step).permutation(48)[:16]
    return MadeUp().training_batch(rows, torch.Generator().manual_seed(step), torch.device("cpu"))


def trained(
    recipe: Recipe, *, recorder: Repeated | None, broken: int = -1, smaller: int = -1
) -> tuple[list[float], Objective, torch.optim.Optimizer]:
    """The losses of some steps; `broken`: one whose images are not numbers, `smaller`: one of fewer images."""
    objective, fabric = small_objective(), Fabric(accelerator="cpu", devices=1)
    optimizer = build_optimizer(objective, recipe, fused=True)
    module, wrapped = fabric.setup(objective.module, optimizer)
    step_of = Step(recipe, objective, module, wrapped, fabric, recorder=recorder)
    losses = []
    for step in range(STEPS):
        set_rates(optimizer, [0.03 / (1 + step)] * len(optimizer.param_groups))
        batch = batch_of(step)
        if step == broken:
            batch = replace(batch, images=batch.images * math.nan)
        if step == smaller:
            batch = replace(batch, images=batch.images[:8], targets=batch.targets[:8])
        losses.append(step_of.begin(step, [batch])())
        objective.network.eval()  # as validation leaves it
    return losses, objective, optimizer


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("broken", [-1, 0, UNRECORDED, UNRECORDED + 2])
def test_a_recorded_step_is_the_eager_step(name: Any, clip: float | None, broken: int) -> None:
    recipe = replace(RECIPE, optimizer=Optimizer(name=name, lr=0.03, grad_clip=clip))
    eager, expected, _ = trained(recipe, recorder=None, broken=broken)
    recorder = Counted()
    losses, objective, _ = trained(recipe, recorder=recorder, broken=broken)
    assert (recorder.recorded, recorder.replayed) == (1, STEPS - UNRECORDED)
    np.testing.assert_allclose(losses, eager, rtol=1e-6)
    assert [math.isnan(loss) for loss in losses] == [step == broken for step in range(STEPS)]
    for value, other in zip(*(one.module.state_dict().values() for one in (objective, expected)), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-5, atol=1e-7)


def test_a_batch_of_another_shape_runs_eagerly() -> None:
    recorder = Counted()
    losses, *_ = trained(RECIPE, recorder=recorder, smaller=UNRECORDED + 1)
    eager, *_ = trained(RECIPE, recorder=None, smaller=UNRECORDED + 1)
    assert recorder.replayed == STEPS - UNRECORDED - 1
    np.testing.assert_allclose(losses, eager, rtol=1e-6)


def test_steps_stay_eager_where_nothing_can_be_recorded(caplog: pytest.LogCaptureFixture) -> None:
    eager, *_ = trained(RECIPE, recorder=None)
    with caplog.at_level(logging.WARNING):
        losses, *_ = trained(RECIPE, recorder=Refused())
    np.testing.assert_allclose(losses, eager, rtol=1e-6)
    assert (
        caplog.text.count("without a CUDA graph, which could not be recorded: an operation is not permitted") == 1
    )


@pytest.mark.parametrize("fused", [False, True])
def test_a_saved_optimizer_computes_as_it_is_used_and_not_as_it_was_saved(fused: bool) -> None:
    _, _, recorded = trained(RECIPE, recorder=Counted())
    objective = small_objective()
    optimizer = build_optimizer(objective, RECIPE, fused=fused)
    before = [(type(group["lr"]), group["fused"], group["capturable"]) for group in optimizer.param_groups]
    load_state(optimizer, recorded.state_dict())
    groups = optimizer.param_groups
    assert [(type(group["lr"]), group["fused"], group["capturable"]) for group in groups] == before
    saved, loaded = (one.state_dict()["state"] for one in (recorded, optimizer))
    for number, state in saved.items():
        assert all(torch.equal(value, loaded[number][name]) for name, value in state.items())


def test_saved_tensors_are_put_back_whatever_their_type() -> None:
    tensors = [torch.arange(3.0), torch.tensor(5), torch.ones(2, 2)]
    before = [tensor.clone() for tensor in tensors]
    copies = SavedTensors(tensors)
    copies.save()
    for tensor in tensors:
        tensor.mul_(3)
    copies.restore()
    assert all(map(torch.equal, tensors, before))


def test_a_tensor_rate_keeps_its_place() -> None:
    _, _, optimizer = trained(RECIPE, recorder=Counted())
    rates: list[Tensor] = [group["lr"] for group in optimizer.param_groups]
    set_rates(optimizer, [0.5] * len(rates))
    assert all(rate is group["lr"] for rate, group in zip(rates, optimizer.param_groups, strict=True))
    assert [float(rate) for rate in rates] == [0.5] * len(rates)
