"""From a recipe and a prepared folder to a finished run with weights that `mien predict` reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import nn

from mien.augment.mixing import CutMix, Mixup
from mien.augment.presets import PRESETS, Augmentation
from mien.datasets.splits.protocols import CrossDataset, Fold, protocol
from mien.errors import DataError, OptionError, UnknownNameError, WeightsError
from mien.labels import LABEL_SETS, LabelSet
from mien.models import configure
from mien.nn.mobilefacenet import THIRD_MAP, MobileFaceNet
from mien.prepared import poses as pose_classes
from mien.prepared.concat import ConcatStore
from mien.prepared.poses import PoseLabels, pose_labels
from mien.prepared.store import PreparedStore
from mien.training.data import TrainingData
from mien.training.loop import Finished, Progress, fit, judge
from mien.training.objective import Expression, Joint, Objective
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.teachers import Teachers
from mien.weights.fill import fill, read_tensors
from mien.weights.folds import FoldInfo
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, load_manifest, shipped_names, write_manifest
from mien.weights.verify import torch_answer

POSES = {  # names that a recipe may use
    "bu-3dfe": pose_classes.BU_3DFE,
    "multi-pie": pose_classes.MULTI_PIE,
    "kdef": pose_classes.KDEF,
    "five-yaws": pose_classes.FIVE_YAWS,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A recipe made concrete on one prepared set."""

    recipe: Recipe
    shards: PreparedStore | ConcatStore
    fold: Fold
    labels: str  # key of LABEL_SETS
    augmentation: Augmentation
    poses: PoseLabels | None
    weights_folder: Path  # where starting weights lie that the package does not ship
    tested: FoldInfo | None  # what later judges one of several folds; None: the set or the user says what tests


def plan(
    recipe: Recipe,
    prepared: Path,
    *,
    also: Sequence[Path] = (),
    fold: int = 0,
    weights_folder: Path = Path("weights"),
) -> Plan:
    """Check that recipe and data fit each other, and choose what learns and what judges.

    `also`: further prepared sets to learn from, all of them or their train parts, in the classes of the first;
    they neither choose nor test. The test part is left alone. Raises `OptionError` or `DataError` where they do not
    fit, `WeightsError` where starting weights are absent.
    """
    for source in (*recipe.pretrained.values(), *recipe.teachers):
        starting_record(source, weights_folder)
    shards = PreparedStore(prepared)
    if recipe.data and shards.header.set != recipe.data:
        raise OptionError(
            f"{prepared} holds {shards.header.set}, the recipe {recipe.name} is for {recipe.data}: "
            "prepare that set, or write a recipe of your own (--set data=NAME changes this one)"
        )
    if recipe.variant and shards.header.variant != recipe.variant:
        raise OptionError(
            f"{prepared} holds the variant {shards.header.variant!r}, the recipe wants {recipe.variant!r}: "
            f"mien data prepare {recipe.data} --variant {recipe.variant}"
        )
    how = {"seed": recipe.seed, "valid_share": recipe.validation_fraction} | (
        {"k": recipe.folds} if recipe.folds else {}
    )
    configure(
        recipe.network, config_name=recipe.config_name, **recipe.model_kwargs
    )  # refused before anything is announced
    folds = protocol(recipe.protocol, **how).folds(shards.samples)
    if not 0 <= fold < len(folds):
        raise OptionError(f"--fold {fold}: {recipe.protocol} gives {len(folds)} here, counted from 0")
    others = [PreparedStore(folder) for folder in also]
    _refuse_repeated([shards, *others])
    chosen, faces = folds[fold], ConcatStore(shards, others) if others else shards
    if isinstance(faces, ConcatStore):
        chosen = replace(chosen, train=learned_from(faces, chosen))
    if recipe.augmentation not in PRESETS:
        raise UnknownNameError("augmentation", recipe.augmentation, PRESETS)
    if recipe.teachers and recipe.network == "phanet":
        raise OptionError(
            "phanet learns by its joint loss, which asks no teachers; leave teachers and loss.distillation_weight away"
        )
    augmentation = PRESETS[recipe.augmentation]
    inputs = replace(augmentation.inputs, template=shards.header.settings["template"])
    augmentation = replace(augmentation, inputs=replace(inputs, size_px=recipe.size_px or inputs.size_px))
    if recipe.mixup and recipe.cutmix:
        raise OptionError("mixup and cutmix exclude each other; set one of them to 0")
    if recipe.mixup or recipe.cutmix:
        mix = Mixup(alpha=recipe.mixup) if recipe.mixup else CutMix(alpha=recipe.cutmix)
        augmentation = replace(augmentation, mix=mix)
    poses = None
    if recipe.poses:
        if recipe.poses not in POSES:
            raise UnknownNameError("set of pose classes", recipe.poses, POSES)
        if augmentation.mix is not None:
            raise OptionError("a mixed image has no pose: set mixup and cutmix to 0 where poses are learned")
        poses = pose_labels(faces, POSES[recipe.poses])
    return Plan(
        recipe=recipe,
        shards=faces,
        fold=chosen,
        labels=_name_of(shards.labels),
        augmentation=augmentation,
        poses=poses,
        weights_folder=weights_folder,
        tested=_tested(recipe.protocol, how, shards, folds, fold),
    )


def _refuse_repeated(stores: list[PreparedStore]) -> None:
    """A set joined with itself would learn from the images that choose and test."""
    seen: dict[tuple[str, str], Path] = {}
    for store in stores:
        key = (store.header.set, store.header.samples)
        if key in seen:
            raise OptionError(f"--also {store.folder} holds the same images as {seen[key]}; give another set")
        seen[key] = store.folder


def _tested(name: str, how: dict[str, Any], shards: PreparedStore, folds: list[Fold], fold: int) -> FoldInfo | None:
    if name in ("official", "cross"):
        return None
    row = shards.column("row")
    if row is None:
        raise DataError(f"{shards.folder} does not say which rows of the set it holds; prepare the set again")
    return FoldInfo(
        set=shards.header.set,
        variant=shards.header.variant,
        samples=shards.header.samples,
        protocol=name,
        settings=how,
        fold=fold,
        folds=len(folds),
        name=folds[fold].name,
        test=tuple(row[folds[fold].test].tolist()),
    )


def learned_from(faces: ConcatStore, fold: Fold) -> np.ndarray:
    """Rows that learn: those of the first set's fold, then the train parts of the others."""
    rows = [fold.train]
    for place, store in enumerate(faces.stores[1:], 1):
        learning = CrossDataset(valid_share=0.0).folds(store.samples)[0].train
        rows.append(faces.rows_of(place, learning))
    return np.concatenate(rows)


def train(
    chosen: Plan,
    out: Path,
    *,
    fabric: Fabric,
    command: str = "",
    watch: Callable[[Progress], None] = lambda _: None,
) -> Finished:
    """Run a plan to its end, or go on with it; `out` then also holds `weights/` with its manifest.

    The test part of a protocol of folds is judged once, at the end, with the weights that validation chose; an
    official test part and another set are left to `mien evaluate`.
    """
    recipe = chosen.recipe
    torch.manual_seed(recipe.seed)
    images = TrainingData(
        chosen.shards,
        learn=chosen.fold.train,
        judge=chosen.fold.valid,
        test=chosen.fold.test,
        augmentation=chosen.augmentation,
        recipe=recipe,
        poses=chosen.poses,
    )
    objective = objective_of(chosen, images)
    run = RunFolder(out, first=fabric.is_global_zero)
    rows = {"learn": len(images.learning), "judge": len(images.judging)}
    if fabric.is_global_zero:
        run.begin(recipe, data=images.fingerprint, rows=rows, command=command)
    fabric.barrier()
    finished = fit(recipe, objective, images, run, fabric=fabric, watch=watch)
    if fabric.is_global_zero:
        network = objective.network
        network.load_state_dict(load_file(out / "best.safetensors"))
        chose = "nothing" if recipe.monitor == "last" else "the epoch"
        measured = {f"validation ({chosen.fold.name}), chose {chose}": dict(finished.best)}
        if chosen.tested is not None and len(chosen.fold.test):
            size = max(64, recipe.batch)
            measured[f"test ({chosen.fold.name})"] = judge(network, images.judged_on_test(), fabric, size=size)
        write_weights(chosen, network, out, measured)
    return finished


def objective_of(chosen: Plan, images: TrainingData) -> Objective:
    """The network with its starting weights, and what it is judged by."""
    recipe = chosen.recipe
    changes: dict[str, Any] = {"classes": len(chosen.shards.labels), **recipe.model_kwargs}
    if chosen.poses is not None:
        changes["poses"] = len(chosen.poses.classes)
    network_class, config = configure(recipe.network, config_name=recipe.config_name, **changes)
    network: nn.Module = network_class(config)
    for part, source in recipe.pretrained.items():
        start(network, part, source, chosen.weights_folder)
    learn_what_starts_from_nothing(network, recipe)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    if recipe.network == "phanet":
        return Joint(network)
    return Expression(network, recipe.loss, counts=torch.from_numpy(images.counts), teachers=_teachers_of(chosen))


def _teachers_of(chosen: Plan) -> Teachers | None:
    names = chosen.recipe.teachers
    if not names:
        return None
    manifests = [starting_record(name, chosen.weights_folder) for name in names]
    return Teachers(manifests, inputs=chosen.augmentation.inputs, labels=chosen.shards.labels)


def starting_record(source: str, folder: Path) -> WeightsManifest:
    """The manifest of starting weights, "name" or "name:part": shipped ones, or a file in the folder."""
    name = source.partition(":")[0]
    if name in shipped_names():
        return load_manifest(name)
    path = folder / name
    if not path.exists():
        raise WeightsError(
            f"{path}: these starting weights are not there. The recipe says where they come from; convert them by "
            f"mien weights convert FILE --to {path} and say with --weights-folder where they lie, "
            "or train without any with --from-scratch (less accurate by far: recipes/README.md)"
        )
    return load_manifest(str(path))


def start(network: nn.Module, part: str, source: str, folder: Path) -> None:
    """Fill a part of the network ("" is all of it) from weights by name or path, or a part of them: "name:part"."""
    name, _, inner = source.partition(":")
    manifest = starting_record(source, folder)
    state = read_tensors(manifest)
    if inner:
        state = {
            key.removeprefix(inner + "."): value for key, value in state.items() if key.startswith(inner + ".")
        }
        if not state:
            raise WeightsError(f"weights {name} have no part called {inner!r}")
    try:
        target = network.get_submodule(part)
    except AttributeError:
        raise OptionError(f"start: {type(network).__name__} has no part called {part!r}") from None
    if manifest.network == "vit_small":  # blocks, tokens and positions of APViT, which are no module of their own
        state = target.state_dict() | state
    if isinstance(target, MobileFaceNet) and target.config.maps == 2:
        state = {key: value for key, value in state.items() if not key.startswith(THIRD_MAP)}
    fill(target, state, source=source)


def learn_what_starts_from_nothing(network: nn.Module, recipe: Recipe) -> None:
    """A network may freeze a part as published; random numbers must not stay."""
    for name, parameter in network.named_parameters():
        if not any(name.startswith(part) for part in recipe.pretrained):
            parameter.requires_grad_(True)


def write_weights(chosen: Plan, network: nn.Module, out: Path, measured: dict[str, Any]) -> None:
    """The best weights with a manifest that prediction and evaluation understand."""
    folder, recipe = out / "weights", chosen.recipe
    folder.mkdir(exist_ok=True)
    (folder / "weights.safetensors").write_bytes((out / "best.safetensors").read_bytes())
    inputs = chosen.augmentation.inputs
    write_manifest(
        WeightsManifest(
            name=recipe.name,
            network=recipe.network,
            config=asdict(network.config),  # type: ignore[call-overload]
            inputs=inputs,
            files={"weights.safetensors": ""},
            licence="as the training data allows",
            source=f"trained by the recipe {recipe.name} on {chosen.shards.title}",
            labels=chosen.labels,
            priors={"default": (0.0,) * len(chosen.shards.labels)},
            measured=measured,
            golden=Golden.of(torch_answer(network.cpu().eval(), inputs)),
            folder=folder,
        )
    )
    if chosen.tested is not None:
        chosen.tested.write(folder)


def _name_of(labels: LabelSet) -> str:
    for name, known in LABEL_SETS.items():
        if known == labels:
            return name
    raise OptionError(f"no label set has the order {', '.join(labels)}; known ones: {', '.join(LABEL_SETS)}")
