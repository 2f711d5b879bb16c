"""A run that ends in a given time: how many epochs that is follows from a few timed steps.

The number is written into the run's recipe, so that an interrupted run resumes to the same end.
"""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import replace

import numpy as np
import torch
from lightning_fabric import Fabric

from mien.errors import OptionError
from mien.training.data import TrainingData
from mien.training.loop import batches
from mien.training.objective import Objective
from mien.training.recipe import Recipe
from mien.training.step import make_step

log = logging.getLogger(__name__)

SECONDS = 8.0  # of timed steps, at least two
RESERVE = 0.1  # of the time, for what nobody timed
VALIDATIONS = 6  # of a run whose epochs have no length of their own


def within_minutes(
    recipe: Recipe, objective: Objective, data: TrainingData, fabric: Fabric, *, started: float
) -> Recipe:
    """The recipe with the epochs that end `recipe.minutes` after `started`, a time of `time.monotonic`.

    With shares, epochs are made as long as it takes for six of them; without, they stay passes over the training
    set. `objective` is not changed. Raises `OptionError` where not even one epoch fits.
    """
    step_s, image_s = _timed(recipe, copied(objective), data, fabric)
    validation_s = image_s * data.valid_size
    left_s = recipe.minutes * 60 * (1 - RESERVE) - (time.monotonic() - started)
    if recipe.shares:
        count = max(1, min(VALIDATIONS, int(left_s / (4 * validation_s + 1e-9))))  # a fifth of the time validates
        steps = int((left_s - count * validation_s) / step_s / count)
        timed = replace(recipe, epochs=count, epoch_images=max(1, steps) * recipe.batch)
    else:
        steps = data.epoch_size // recipe.batch
        timed = replace(recipe, epochs=max(1, int(left_s / (steps * step_s + validation_s))))
    if left_s < steps * step_s + validation_s or steps < 1:
        shorter = "" if recipe.shares else ", or state shares, which allow of shorter epochs"
        raise OptionError(
            f"minutes is {recipe.minutes:g}: no epoch fits. A step takes {step_s:.2g} s, a validation "
            f"{validation_s:.2g} s, and {max(0.0, left_s):.0f} s are left; give more minutes{shorter}"
        )
    log.info(
        "%g minutes: %d epochs of %d steps, %.0f images a second",
        recipe.minutes, timed.epochs, steps, recipe.batch / step_s,
    )  # fmt: skip
    return timed


def copied(objective: Objective) -> Objective:
    """A copy with parameters of its own and the same teachers."""
    teachers = getattr(objective, "_teachers", None)
    return copy.deepcopy(objective, {id(teachers): teachers})


def _timed(recipe: Recipe, objective: Objective, data: TrainingData, fabric: Fabric) -> tuple[float, float]:
    """Seconds of a step, and of an image in validation."""
    step_of, _ = make_step(recipe, objective, fabric)
    per_epoch = max(1, data.epoch_size // recipe.batch)
    begun, steps, warm_up = time.monotonic(), 0, step_of.warm_up
    ready = batches(recipe, data, step_of, 0, per_epoch)
    for step in range(10_000):
        if step == warm_up:
            begun = time.monotonic()
        loss = step_of.begin(step, ready)
        ready = batches(recipe, data, step_of, (step + 1) % per_epoch, per_epoch)
        loss()
        steps = step + 1 - warm_up
        if steps >= 2 and time.monotonic() - begun > SECONDS:
            break
    step_s = (time.monotonic() - begun) / steps
    objective.network.eval()
    positions = np.arange(min(data.valid_size, 4 * max(64, recipe.batch)))
    begun = time.monotonic()
    with torch.no_grad(), fabric.autocast():
        for part in np.array_split(positions, 4):
            if len(part):
                objective.network(data.validation_batch(part, fabric.device)[0]).sum().item()
    return step_s, (time.monotonic() - begun) / len(positions)
