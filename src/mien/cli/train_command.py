"""`mien train`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from mien.cli.progress import Bar, progress
from mien.errors import OptionError
from mien.training.loop import Progress
from mien.training.recipe import read_recipe
from mien.training.session import Plan, plan, train


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    recipe: Path
    data: Path
    also: tuple[Path, ...]
    out: Path
    changes: tuple[str, ...]
    weights_folder: Path
    from_scratch: bool
    fold: int
    devices: str
    nodes: int
    accelerator: str
    quiet: bool


def train_command(request: Request) -> int:
    """Train, and say what came of it."""
    changes = {}
    for change in request.changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change}: give NAME=VALUE, such as epochs=5")
        changes[name.strip()] = value.strip()
    if request.devices != "auto" and not (request.devices.isdigit() and int(request.devices)):
        raise OptionError(f"--devices {request.devices}: give a number from 1 on, or auto")
    if request.accelerator not in ("auto", "cpu", "cuda", "mps"):
        raise OptionError(f"--accelerator {request.accelerator}: give auto, cpu, cuda or mps")
    there = torch.cuda.device_count() if request.accelerator == "cuda" else int(torch.backends.mps.is_available())
    wanted = int(request.devices) if request.devices != "auto" else 1
    if request.accelerator in ("cuda", "mps") and there < wanted:
        raise OptionError(f"--accelerator {request.accelerator}: {wanted} wanted, torch sees {there} here")
    recipe = read_recipe(request.recipe, changes)
    if request.from_scratch:
        recipe = replace(recipe, pretrained={}, frozen=(), frozen_statistics=())
    chosen = plan(recipe, request.data, also=request.also, fold=request.fold, weights_folder=request.weights_folder)
    cpu = request.accelerator == "cpu" or (request.accelerator == "auto" and not _has_gpu())
    fabric = Fabric(
        accelerator=request.accelerator,
        devices=int(request.devices) if request.devices != "auto" else 1 if cpu else "auto",
        num_nodes=request.nodes,
        precision=recipe.precision,
    )
    fabric.launch()
    quiet = request.quiet or not fabric.is_global_zero
    if not quiet:
        _announce(chosen)
    with progress("training", quiet=quiet) as bar:

        def watch(now: Progress) -> None:
            bar.reach(now.step, now.steps)
            if now.line is not None and not quiet:
                bar.say(
                    "epoch {epoch}: loss {loss:.4f}; validation: accuracy {accuracy:.1%}, balanced "
                    "{balanced_accuracy:.1%}, loss {validation_loss:.4f}".format(**now.line)
                )

        command = "mien " + shlex.join(sys.argv[1:])
        finished = train(chosen, request.out, fabric=fabric, command=command, watch=watch)
    if not quiet:
        why = "the last" if recipe.monitor == "last" else f"the best {recipe.monitor} on validation"
        Bar().say(
            f"kept: epoch {finished.best_epoch}, {why}; "
            "accuracy {accuracy:.1%}, balanced {balanced_accuracy:.1%}\n".format(**finished.best)
            + f"weights: {request.out / 'weights'}; judge them on images they never saw: mien evaluate"
        )
    return 0


def _announce(chosen: Plan) -> None:
    fold = chosen.fold
    apart = f", {len(fold.test):,} are left alone" if len(fold.test) else ""
    Bar().say(
        f"{chosen.recipe.name}: {chosen.recipe.network} on {chosen.shards.title}, {fold.name}: "
        f"{len(fold.train):,} images learn, {len(fold.valid):,} choose{apart}"
    )
    for leak in fold.leaks:
        Bar().say(f"hook: {leak}")


def _has_gpu() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()
