"""The loop: draw, augment, step; evaluate on the validation set; keep the best. On one process or many.

Everything random follows from (seed, step, micro-batch): a run that was killed continues as if nothing had
happened, and several processes end with the numbers of one as long as the recipe states `micro_batch`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from mien.errors import OptionError
from mien.media.work import Progress, no_progress
from mien.metrics import classification_metrics
from mien.training.data import TrainingData
from mien.training.history import History, best_epoch, patience_ended
from mien.training.objective import Objective, TrainingBatch
from mien.training.optim.ema import MovingAverage
from mien.training.optim.optimizer import set_rates
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.state import TrainingState
from mien.training.step import Step, make_step, seed_of

log = logging.getLogger(__name__)

MAX_SKIPPED = 25  # steps in a row whose gradients are not finite; half precision skips up to 16 to find its scale


def fit(
    recipe: Recipe,
    objective: Objective,
    data: TrainingData,
    run: RunFolder,
    *,
    fabric: Fabric,
    progress: Progress = no_progress,
    save_every: int = 200,
) -> History:
    """Train `objective` as the recipe says, from the state in the run's folder where there is one.

    `save_every`: steps between two saves within an epoch. Raises `OptionError` where recipe and data do not fit.
    """
    check_batch(recipe, data)
    per_epoch = data.epoch_size // recipe.batch
    steps = per_epoch * recipe.epochs
    step_of, optimizer = make_step(recipe, objective, fabric)
    ema = MovingAverage(objective.network, recipe.ema_decay) if recipe.ema_decay else None
    precision = fabric.strategy.precision
    state = TrainingState(objective=objective, optimizer=optimizer, ema=ema, precision=precision)
    if (saved := run.last()) is not None:
        state.restore(saved)
        _log_resumed(run, state, steps)
    ready = list[TrainingBatch]()
    for step in range(state.step, steps):
        if step % per_epoch == 0 and _gives_up(state.history, recipe, run):
            break
        factor = recipe.schedule.factor(step, per_epoch=per_epoch, epochs=recipe.epochs)
        set_rates(optimizer, [rate * factor for rate in step_of.rates])
        started = step_of.begin(step, ready or batches(recipe, data, step_of, step, per_epoch))
        if step + 1 < steps:  # made while a GPU is at work on the step
            ready = batches(recipe, data, step_of, step + 1, per_epoch)
        state.losses.append(started())
        state.step = step + 1
        if not math.isfinite(state.losses[-1]):
            with run.left_clean(state.history):
                _check_skipped(state.losses, step, per_epoch, recipe)
        elif ema is not None:
            ema.update_parameters(objective.network)
        epoch_ends = state.step % per_epoch == 0
        if epoch_ends:
            network = objective.network if ema is None else ema.module
            with run.left_clean(state.history):
                metrics = validate(network, data, fabric, size=max(64, recipe.batch))
            state.history.append(_epoch(state, per_epoch, recipe.optimizer.lr * factor, metrics))
            state.losses.clear()
            if best_epoch(state.history, recipe.monitor) == len(state.history):
                run.keep_best(network.state_dict())
            run.metrics(state.history)
        if epoch_ends or state.step % save_every == 0:
            run.save(state.to_dict())
        progress(state.step, steps)
    return tuple(state.history)


def _log_resumed(run: RunFolder, state: TrainingState, steps: int) -> None:
    if state.step < steps:
        log.info("%s: resumes after step %d of %d", run.folder, state.step, steps)
    else:
        more = len(state.history) + 10
        log.info("%s: finished already; --set epochs=%d would continue it", run.folder, more)


def _gives_up(history: Sequence[Mapping[str, Any]], recipe: Recipe, run: RunFolder) -> bool:
    """Whether patience has ended, which is logged."""
    if not history or not patience_ended(history, recipe.monitor, recipe.patience):
        return False
    log.info(
        "%s: %d epochs without a better one, so it stopped after %d of %d; --set patience=%d would continue it",
        run.folder, recipe.patience, len(history), recipe.epochs, 2 * recipe.patience,
    )  # fmt: skip
    return True


def _epoch(state: TrainingState, per_epoch: int, lr: float, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The epoch that ends with this step, as `metrics.jsonl` has it; it is logged."""
    epoch, loss = state.step // per_epoch, round(float(np.nanmean(state.losses)), 5)
    row = {"epoch": epoch, "step": state.step, "loss": loss, "lr": lr, **metrics}
    if skipped := int(np.isnan(state.losses).sum()):
        row["skipped_steps"] = skipped
        log.warning("epoch %d: %d of %d steps skipped", epoch, skipped, per_epoch)
    log.info(
        "epoch %(epoch)d: loss %(loss).4f; validation: accuracy %(accuracy).3f, "
        "balanced accuracy %(balanced_accuracy).3f, loss %(validation_loss).4f",
        row,
    )
    for name, of in metrics.get("sources", {}).items():
        log.info("  %s: accuracy %.3f, balanced accuracy %.3f", name, of["accuracy"], of["balanced_accuracy"])
    return row


def check_batch(recipe: Recipe, data: TrainingData) -> None:
    """Raises `OptionError` where an epoch would have no step."""
    if data.epoch_size < recipe.batch:
        raise OptionError(
            f"batch {recipe.batch} is larger than the training set of {data.epoch_size} images; "
            f"set batch to {data.epoch_size} or less (--set batch={data.epoch_size})"
        )


def _check_skipped(losses: Sequence[float], step: int, per_epoch: int, recipe: Recipe) -> None:
    """Warn of a skipped step, the last of `losses`; raise `OptionError` after many, or a whole epoch of them."""
    epoch, within = step // per_epoch + 1, step % per_epoch + 1
    log.warning("epoch %d, step %d of %d: the gradient is not finite; skipped", epoch, within, per_epoch)
    latest = losses[-MAX_SKIPPED:]
    if all(map(math.isnan, latest)) and (len(latest) == MAX_SKIPPED or within == per_epoch):
        clip = recipe.optimizer.grad_clip
        raise OptionError(
            f"epoch {epoch}, step {within}: {len(latest)} steps in a row had gradients that are not finite, so the "
            f"run stops. Try a lower learning rate (optimizer.lr is {recipe.optimizer.lr:g}), "
            f"gradient clipping (optimizer.grad_clip is {'null' if clip is None else f'{clip:g}'}), or "
            f"precision=32-true (it is {recipe.precision})"
        )


def batches(recipe: Recipe, data: TrainingData, step_of: Step, step: int, per_epoch: int) -> list[TrainingBatch]:
    """The micro-batches of this process for one step."""
    epoch, within = divmod(step, per_epoch)
    positions = data.order(epoch)[within * recipe.batch : (within + 1) * recipe.batch]
    parts = positions.reshape(step_of.micro_batches, -1)
    seeds = {i: torch.Generator().manual_seed(seed_of(recipe.seed, step, i)) for i in step_of.mine}
    return [data.training_batch(parts[i], rng, step_of.fabric.device) for i, rng in seeds.items()]


@torch.no_grad()
def validate(network: nn.Module, data: TrainingData, fabric: Fabric, *, size: int) -> dict[str, Any]:
    """Metrics on the validation set; of several sources the means over them, and "sources" with each one's.

    Every process computes all of them, so that all choose the same epoch.
    """
    network.eval()
    outputs, labels = [], []
    for positions in np.array_split(np.arange(data.valid_size), max(1, -(-data.valid_size // size))):
        images, truth = data.validation_batch(positions, fabric.device)
        with fabric.autocast():
            outputs.append(network(images).float().softmax(dim=1).cpu().numpy())
        labels.append(truth)
    rows, truths = np.concatenate(outputs), np.concatenate(labels)
    if not np.isfinite(rows).all():
        raise OptionError(
            "the network's outputs are no longer finite numbers, so the run stops. Try a lower learning rate "
            "(optimizer.lr) or gradient clipping (optimizer.grad_clip)"
        )
    if not (parts := data.valid_parts()):
        return _metrics(truths, rows)
    sources = {}
    for part in parts:
        within = rows[part.positions] * part.classes
        within /= np.maximum(within.sum(axis=1, keepdims=True), 1e-12)
        sources[part.name] = {"images": len(within)} | _metrics(truths[part.positions], within)
    means = {
        name: round(float(np.mean([of[name] for of in sources.values()])), 5)
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "validation_loss")
    }
    return means | {"sources": sources}


def _metrics(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    metrics = classification_metrics(truth, probabilities)
    return {
        "accuracy": round(metrics.accuracy, 5),
        "balanced_accuracy": round(metrics.balanced_accuracy, 5),
        "macro_f1": round(metrics.macro_f1, 5),
        "validation_loss": round(metrics.log_loss or 0.0, 5),
    }
