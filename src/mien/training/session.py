"""`mien.train`: from a recipe and a prepared set to a finished run with weights that `mien.predict` reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import nn

from mien.arguments import checked
from mien.errors import OptionError, WeightsError
from mien.evaluation.validation_rows import ValidationRows, ValidationSets
from mien.media.atomic import atomic_write
from mien.media.file_state import sha256
from mien.media.work import Progress, no_progress
from mien.models.phanet import PhaNet
from mien.training.budget import within_minutes
from mien.training.data import TrainingData
from mien.training.history import History, best_epoch
from mien.training.initialize import initialize, pretrained_manifest
from mien.training.loop import check_batch, fit, validate
from mien.training.objective import ExpressionObjective, JointObjective, Objective
from mien.training.origins import seen_before, trained_on
from mien.training.plan import Plan, make_plan
from mien.training.recipe import Recipe
from mien.training.recipe_source import read_recipe
from mien.training.run_folder import RunFolder, writing
from mien.training.several import begin_together
from mien.training.sources import shares_of
from mien.training.teachers import Teachers, cached_logits
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, read_manifest, stated_labels, write_manifest
from mien.weights.verify import torch_output

log = logging.getLogger(__name__)

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The result of a training run."""

    folder: Path
    weights: Path  # their manifest, for `mien.load` and `mien.evaluate`
    best_epoch: int  # counted from 1; its weights were kept
    best: Mapping[str, Any] = field(repr=False)  # metrics of that epoch
    history: History = field(repr=False)  # one entry per epoch
    recipe: Recipe = field(repr=False)


WEIGHTS = "weights.safetensors"
MOST_PROCESSES = 100_000  # more than any cluster has; beyond, a number is a slip


@checked
def train(
    recipe: Recipe | Path | str,
    data: Path | str | Sequence[Path | str],
    out: Path | str,
    *,
    extra_data: Sequence[Path | str] = (),
    changes: Mapping[str, Any] | None = None,
    weights_folder: Path | str = "weights",
    from_scratch: bool = False,
    fold: int = 0,
    devices: int | str = "auto",
    nodes: int = 1,
    accelerator: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a network as a recipe says. An interrupted run resumes when the call is repeated.

    `recipe`: a name ("poster_v2/light"), a Python file, an import path, or a `Recipe`. `data`: a prepared set, or
    several; `extra_data`: more of them, for training only; see `mien.training.plan.make_plan`. `out`: the run's
    folder. `changes`: other values of the recipe's fields, {"epochs": 5, "optimizer.lr": 1e-4}. `weights_folder`:
    pretrained weights that the package does not ship. `from_scratch`: none of them. `fold`: which fold of the
    protocol. `devices`, `nodes`, `accelerator`: those of Lightning Fabric. `command`: kept in `run.json`.
    `progress` is called after each step; the logger "mien.training" has a line for each epoch.
    """
    chosen = read_recipe(recipe, changes, from_scratch=from_scratch)
    chosen = replace(chosen, precision=resolved_precision(chosen.precision, accelerator))
    fabric = make_fabric(chosen, devices=devices, nodes=nodes, accelerator=accelerator)
    plan = make_plan(
        chosen,
        [Path(data)] if isinstance(data, (str, Path)) else [Path(one) for one in data],
        extra_data=[Path(one) for one in extra_data],
        fold=fold,
        weights_folder=Path(weights_folder),
    )
    fabric.launch()
    if not fabric.is_global_zero:
        logging.getLogger("mien.training").setLevel(logging.ERROR)
    return run_plan(plan, Path(out), fabric=fabric, command=command, progress=progress or no_progress)


def make_fabric(recipe: Recipe, *, devices: int | str, nodes: int, accelerator: str) -> Fabric:
    """Lightning Fabric for these devices; raises `OptionError` where they are not there."""
    if devices != "auto" and not (str(devices).isdigit() and int(devices)):
        raise OptionError(f"--devices {devices}: give a number from 1 on, or auto")
    if not (1 <= nodes <= MOST_PROCESSES and (devices == "auto" or int(devices) <= MOST_PROCESSES)):
        raise OptionError(f"--devices {devices}, --nodes {nodes}: give 1 to {MOST_PROCESSES:,} of each")
    if accelerator not in ("auto", "cpu", "cuda", "mps"):
        raise OptionError(f"--accelerator {accelerator}: give auto, cpu, cuda or mps")
    there = torch.cuda.device_count() if accelerator == "cuda" else int(torch.backends.mps.is_available())
    wanted = int(devices) if devices != "auto" else 1
    if accelerator in ("cuda", "mps") and there < wanted:
        raise OptionError(f"--accelerator {accelerator}: {wanted} wanted, torch sees {there} here")
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    cpu = accelerator == "cpu" or (accelerator == "auto" and not has_gpu)
    precision = resolved_precision(recipe.precision, accelerator)
    logging.getLogger("lightning_fabric.utilities.rank_zero").addFilter(_no_advice)
    count: int | str = int(devices) if devices != "auto" else 1 if cpu else "auto"
    return Fabric(accelerator=accelerator, devices=count, num_nodes=nodes, precision=precision)


def _no_advice(record: logging.LogRecord) -> bool:
    """Not Lightning's hint to compute less precisely than the recipe says."""
    return "has Tensor Cores" not in record.getMessage()


def resolved_precision(precision: Precision | Literal["auto"], accelerator: str) -> Precision:
    """ "auto" as what it means here: bfloat16 where the processor or the GPU computes with it."""
    if precision != "auto":
        return precision
    cuda = accelerator in ("auto", "cuda") and torch.cuda.is_available()
    if cuda:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return "32-true"
    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if fast else "32-true"


def run_plan(
    plan: Plan, out: Path, *, fabric: Fabric, command: str = "", progress: Progress = no_progress
) -> TrainingResult:
    """Train, and write `weights/` with its manifest.

    The test set of a protocol with folds is evaluated once, at the end, with the weights that validation chose; an
    official test set and other sets are left to `mien.evaluate`.
    """
    recipe, started = plan.recipe, time.monotonic()
    torch.manual_seed(recipe.seed)
    data = TrainingData(plan)
    check_batch(recipe, data)
    teachers = _teachers(plan, fabric)
    objective = build_objective(plan, teachers=None if recipe.cached_teachers else teachers, known=data.known)
    run = RunFolder(out, first=fabric.is_global_zero)
    run.check()
    _announce(plan, data)
    with run.alone():
        if teachers is not None and recipe.cached_teachers:
            log.info("the teachers predict %d training images once", len(data.train_rows))
            data.teacher_logits = cached_logits(
                teachers, data, out / "teachers", device=fabric.device, write=fabric.is_global_zero
            )
        if recipe.minutes:
            begin_together()
            timed = run.timed(recipe) or within_minutes(recipe, objective, data, fabric, started=started)
            recipe = fabric.broadcast(timed)
            plan = replace(plan, recipe=recipe)
            data.resize(recipe)
        if fabric.is_global_zero:
            images = {"train": len(data.train_rows), "validation": data.valid_size}
            run.begin(recipe, data=data.fingerprint, images=images, command=command)
        fabric.barrier()
        history = fit(recipe, objective, data, run, fabric=fabric, progress=progress)
        epoch = best_epoch(history, recipe.monitor)
        best = history[epoch - 1]
        if fabric.is_global_zero:
            network = objective.network
            network.load_state_dict(load_file(out / "best.safetensors"))
            measured = _measured(plan, best)
            if plan.fold_info is not None and len(plan.fold.test):
                size = max(64, recipe.batch)
                measured[f"test ({plan.fold.name})"] = validate(network, data.on_test(), fabric, size=size)
            with writing(out / "weights"):
                write_weights(plan, network, out, measured)
        return TrainingResult(
            folder=out,
            weights=out / "weights/manifest.json",
            best_epoch=epoch,
            best=best,
            history=history,
            recipe=recipe,
        )


def _measured(plan: Plan, best: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics of the epoch that was kept, of each source where there are several, by titles for a manifest."""
    purpose = "not used to choose" if plan.recipe.monitor == "last" else "chose the epoch"
    if sources := best.get("sources"):
        return {f"{name} validation, {purpose}": {"epoch": best["epoch"]} | of for name, of in sources.items()}
    return {f"validation ({plan.fold.name}), {purpose}": dict(best)}


def build_objective(plan: Plan, *, teachers: Teachers | None = None, known: np.ndarray | None = None) -> Objective:
    """The initialised network and its loss; `known` (S, K): the classes of each source, for their biases."""
    recipe = plan.recipe
    network: nn.Module = plan.config.build()
    initialize(network, recipe, plan.weights_folder, labels=plan.store.labels)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    several = known is not None and len(known) > 1
    if recipe.source_bias and not several:
        raise OptionError("source_bias is for several sets; give more --data, or set source_bias=false")
    biased = torch.from_numpy(known) if recipe.source_bias and known is not None else None
    if isinstance(network, PhaNet):
        return JointObjective(network, recipe.loss, teachers=teachers, biased_sources=biased)
    return ExpressionObjective(network, recipe.loss, teachers=teachers, biased_sources=biased)


def _teachers(plan: Plan, fabric: Fabric) -> Teachers | None:
    if not plan.recipe.teachers:
        return None
    manifests = [pretrained_manifest(name, plan.weights_folder) for name in plan.recipe.teachers]
    inputs, labels = plan.augmentation.inputs, plan.store.labels
    return Teachers(manifests, inputs=inputs, labels=labels, autocast=fabric.autocast)


def _written(out: Path) -> bool:
    """Whether `weights/` holds the best weights: then what `mien calibrate` and `mien export` added stays."""
    try:
        manifest = read_manifest(out / "weights/manifest.json")
        return manifest.files.get(WEIGHTS) == sha256(out / "best.safetensors") == sha256(manifest.folder / WEIGHTS)
    except (WeightsError, OSError):
        return False


def write_weights(plan: Plan, network: nn.Module, out: Path, measured: dict[str, Any]) -> None:
    """The best weights with a manifest that prediction and evaluation understand."""
    folder = out / "weights"
    folder.mkdir(exist_ok=True)
    if not _written(out):
        atomic_write(folder / WEIGHTS, (out / "best.safetensors").read_bytes())
        write_manifest(_manifest(plan, network, folder, measured))
    _validation_sets(plan).write(folder)
    if plan.fold_info is not None:
        plan.fold_info.write(folder)


def _manifest(plan: Plan, network: nn.Module, folder: Path, measured: dict[str, Any]) -> WeightsManifest:
    recipe, inputs = plan.recipe, plan.augmentation.inputs
    return WeightsManifest(
        name=recipe.name,
        network=recipe.network,
        config=asdict(plan.config),
        inputs=inputs,
        files={WEIGHTS: ""},
        licence="as the training data allows",
        source=f"trained by the recipe {recipe.name} on {plan.store.title}",
        labels=stated_labels(plan.store.labels),
        priors={"default": (0.0,) * len(plan.store.labels)},
        trained_on=trained_on(plan),
        measured=measured,
        notes=(*seen_before(plan), *filter(None, [plan.framing_note])),
        golden=Golden.of(torch_output(network.cpu().eval(), inputs)),
        folder=folder,
    )


def _validation_sets(plan: Plan) -> ValidationSets:
    """Which rows of its data sets the run held out for validation."""
    parts = plan.rows_by_set(plan.fold.valid)
    known = [(store, row[at]) for store, at in parts if len(at) and (row := store.column("row")) is not None]
    return ValidationSets(
        sets=tuple(
            ValidationRows(set=store.header.set, samples=store.header.samples, rows=tuple(map(int, rows)))
            for store, rows in known
        )
    )


def _announce(plan: Plan, data: TrainingData) -> None:
    recipe, fold = plan.recipe, plan.fold
    log.info(
        "%s: %s on %s, %s: %d images for training, %d for validation, %d for testing",
        recipe.name, recipe.network, plan.store.title, fold.name, len(data.train_rows), data.valid_size,
        len(fold.test),
    )  # fmt: skip
    shares = shares_of(data.sources, recipe)
    for one, known in zip(data.sources, data.known, strict=True):
        if len(data.sources) > 1:
            share = f", {shares[one.name]:.0%} of a batch" if shares else ""
            lacking = [label for label, there in zip(data.labels, known, strict=True) if not there]
            unknown = f"; says nothing of {', '.join(lacking)}" if lacking else ""
            log.info("  %s: %d and %d%s%s", one.name, len(one.train), len(one.valid), share, unknown)
    stated = recipe.validation_fraction != Recipe.validation_fraction and plan.fold_info is None
    for store, rows in plan.rows_by_set(fold.valid) if stated else ():
        if len(rows) and (store.samples.split[rows] == "valid").all():
            log.info("  %s has a validation part, so validation_fraction does nothing there", store.folder)
    if plan.framing_note:
        alike = plan.framing is not None and plan.framing.is_one
        log.log(logging.INFO if alike else logging.WARNING, "  %s", plan.framing_note)
    for leak in (*fold.leaks, *seen_before(plan)):
        log.warning("leak: %s", leak)
