"""The loop: draw, change, step; judge on validation; keep the best. One recipe on one process or many.

Everything random follows from (seed, step, part): a run that was killed goes on as if nothing had happened, and
several processes end with the numbers of one as long as the recipe's `part` is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.labels import LabelSet
from mien.metrics import classification_metrics
from mien.training.ema import moving_average
from mien.training.ghost_batch_norm import GhostStatistics
from mien.training.objective import Drawn, Objective
from mien.training.optimizer import build_optimizer, freeze, set_training
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.sam import SAM


class Images(Protocol):
    """What the loop asks of data. Rows are indices into what is learned from, or judged on."""

    labels: LabelSet
    fingerprint: str
    learned: int  # images learned from in one epoch
    judged: int  # images judged on

    def order(self, epoch: int) -> np.ndarray:
        """Rows of one epoch, in the order in which they are learned from."""
        ...

    def learn(self, rows: np.ndarray, rng: torch.Generator, device: torch.device) -> Drawn:
        """Changed images and what is known of them."""
        ...

    def judge(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, np.ndarray]:
        """Unchanged images (B, 3, S, S), normalised, and their labels (B,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands; what `watch` is told after every step."""

    step: int  # steps done
    steps: int  # of the whole run
    line: Mapping[str, Any] | None = None  # of `metrics.jsonl`, after the last step of an epoch


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run came to."""

    best_epoch: int  # counted from 1; its weights were kept
    history: tuple[Mapping[str, Any], ...]

    @property
    def best(self) -> Mapping[str, Any]:
        """What was measured after the epoch that was kept."""
        return self.history[self.best_epoch - 1]


def fit(
    recipe: Recipe,
    objective: Objective,
    images: Images,
    run: RunFolder,
    *,
    fabric: Fabric,
    watch: Callable[[Progress], None] = lambda _: None,
    save_every: int = 200,
) -> Finished:
    """Train what `objective` holds as the recipe says. Goes on from the run's folder where it holds a state.

    `save_every`: steps between two saves within an epoch. Raises `OptionError` where recipe and data do not fit.
    """
    size = recipe.batch
    if images.learned < size:
        raise OptionError(f"a batch of {size} is more than the {images.learned} images; use a smaller one")
    per_epoch = images.learned // size
    steps = per_epoch * recipe.epochs
    bare = objective.module
    freeze(objective, recipe)
    average = moving_average(objective.network, recipe.ema_decay) if recipe.ema_decay else None
    optimizer = build_optimizer(objective, recipe)
    rates = [group["lr"] for group in optimizer.param_groups]
    aware = SAM(bare.parameters(), recipe.sam) if recipe.sam else None
    wrapped, stepper = fabric.setup(bare, optimizer)
    if average is not None:
        average.to(fabric.device)
    first, history, losses = 0, list[dict[str, Any]](), list[float]()
    if (state := run.last()) is not None:
        bare.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            average.load_state_dict(state["average"])
        if aware is not None:
            aware.load_state_dict(state["sharpness"])
        first, history, losses = int(state["step"]), list(state["history"]), list(state["losses"])
    step_of = Step(recipe, objective, wrapped, stepper, images, fabric, aware=aware)

    def save(done: int) -> None:
        run.save(
            {
                "step": done,
                "history": history,
                "losses": losses,
                "network": bare.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": None if average is None else average.state_dict(),
                "sharpness": None if aware is None else aware.state_dict(),
            }
        )

    for step in range(first, steps):
        if history and _patience_ended(history, recipe):
            break
        factor = recipe.schedule.factor(step, per_epoch=per_epoch, epochs=recipe.epochs)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        losses.append(step_of(step, per_epoch))
        if average is not None:
            average.update_parameters(objective.network)
        done, line = step + 1, None
        if done % per_epoch == 0:
            judged = objective.network if average is None else average.module
            line = {
                "epoch": done // per_epoch,
                "step": done,
                "loss": _mean(losses),
                "rate": recipe.optimizer.lr * factor,
                **judge(judged, images, fabric, size=max(64, size)),
            }
            losses.clear()
            history.append(line)
            if best_epoch(history, recipe.monitor) == len(history) - 1:
                run.keep_best(judged.state_dict())
            run.metrics(history)
        if line is not None or done % save_every == 0:
            save(done)
        watch(Progress(step=done, steps=steps, line=line))
    return Finished(best_epoch=best_epoch(history, recipe.monitor) + 1, history=tuple(history))


class Step:
    """One step: all parts of a batch forward and backward, once or twice, then the optimizer."""

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        module: _FabricModule,
        optimizer: torch.optim.Optimizer,
        images: Images,
        fabric: Fabric,
        *,
        aware: SAM | None,
    ) -> None:
        self.recipe, self.objective, self.module, self.optimizer = recipe, objective, module, optimizer
        self.images, self.fabric, self.aware = images, fabric, aware
        world = fabric.world_size
        self.part = recipe.micro_batch or recipe.batch // world
        if recipe.batch % (self.part * world):
            raise OptionError(
                f"a batch of {recipe.batch} in parts of {self.part} cannot be shared by {world} processes evenly"
            )
        if self.part == 1 and any(isinstance(one, _BatchNorm) for one in objective.module.modules()):
            raise OptionError(f"{recipe.network} has batch norms: no process may have 1 image; enlarge batch")
        self.parts = recipe.batch // self.part
        self.ghost = GhostStatistics(objective.module) if self.parts > 1 or aware is not None else None

    def __call__(self, step: int, per_epoch: int) -> float:
        """The mean loss over the batch."""
        recipe = self.recipe
        set_training(self.objective, recipe)
        epoch, at = divmod(step, per_epoch)
        rows = self.images.order(epoch)[at * recipe.batch : (at + 1) * recipe.batch].reshape(self.parts, -1)
        mine = range(self.fabric.global_rank, self.parts, self.fabric.world_size)
        drawn = []
        for i in mine:
            rng = torch.Generator().manual_seed(seed_of(recipe.seed, step, i))
            drawn.append((i, self.images.learn(rows[i], rng, self.fabric.device)))
        passes = iter(range(2))

        def backward() -> Tensor:
            return self._backward(step, drawn, second=next(passes) == 1)

        loss = backward() if self.aware is None else self.aware.gradients(step, backward)
        if recipe.optimizer.grad_clip is not None:
            self.fabric.clip_gradients(self.module, self.optimizer, max_norm=recipe.optimizer.grad_clip)
        self.optimizer.step()
        return float(loss)

    def _backward(self, step: int, drawn: list[tuple[int, Drawn]], *, second: bool) -> Tensor:
        """Gradients of the mean loss over the whole batch, and that loss."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.ghost is not None:
            self.ghost.begin()
        total = torch.zeros((), device=self.fabric.device)
        for k, (i, one) in enumerate(drawn):
            torch.manual_seed(seed_of(self.recipe.seed, step, i) + 1)  # dropout and stochastic depth
            with self.fabric.no_backward_sync(self.module, enabled=k < len(drawn) - 1):
                loss = self.objective.loss(self.module, one)
                self.fabric.backward(loss / len(drawn))
            total += loss.detach() / self.parts
            if self.ghost is not None:
                self.ghost.next_part()
        if self.ghost is not None:
            if second and not self.recipe.sam_second_pass_statistics:
                self.ghost.restore()
            else:
                self.ghost.end(self._over_processes, self.parts)
        return self._over_processes(total)

    def _over_processes(self, sums: Tensor) -> Tensor:
        return cast(Tensor, self.fabric.all_reduce(sums, reduce_op="sum"))


@torch.no_grad()
def judge(network: nn.Module, images: Images, fabric: Fabric, *, size: int) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro-F1 and loss on validation, by one process for all."""
    network.eval()
    found, truth = [], []
    for rows in np.array_split(np.arange(images.judged), max(1, -(-images.judged // size))):
        x, labels = images.judge(rows, fabric.device)
        with fabric.autocast():
            found.append(network(x).float().softmax(dim=1).cpu().numpy())
        truth.append(labels)
    metrics = classification_metrics(np.concatenate(truth), np.concatenate(found))
    return {
        "accuracy": round(metrics.accuracy, 5),
        "balanced_accuracy": round(metrics.balanced_accuracy, 5),
        "macro_f1": round(metrics.macro_f1, 5),
        "validation_loss": round(metrics.log_loss or 0.0, 5),
    }


def seed_of(seed: int, step: int, part: int) -> int:
    """A seed for one part of one step, far from its neighbours'."""
    mixed = np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0]
    return int(mixed >> np.uint64(2))


def _mean(losses: list[float]) -> float:
    return round(float(np.mean(losses)), 5)


def best_epoch(history: Sequence[Mapping[str, Any]], name: str) -> int:
    """The row of the epoch to keep: "last", or the best by a figure; of equals the lower validation loss."""
    if name == "last":
        return len(history) - 1
    return max(range(len(history)), key=lambda i: (history[i][name], -history[i]["validation_loss"], -i))


def _patience_ended(history: list[dict[str, Any]], recipe: Recipe) -> bool:
    return 0 < recipe.patience <= len(history) - 1 - best_epoch(history, recipe.monitor)
