"""A recipe made concrete on one prepared set: what is trained, validated and tested on, and as which network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.augment.mixing import Mixup
from mien.augment.presets import Augmentation, preset
from mien.datasets.splits.protocols import CrossDataset, Fold, protocol
from mien.errors import DataError, OptionError, UnknownNameError
from mien.evaluation.folds import FoldInfo
from mien.models import configure
from mien.models.phanet import PhaNetConfig
from mien.prepared import poses as pose_classes
from mien.prepared.concat import ConcatStore
from mien.prepared.poses import PoseLabels, pose_labels
from mien.prepared.store import PreparedStore
from mien.training.initialize import pretrained_manifest
from mien.training.recipe import Recipe

POSE_CLASSES = {
    "bu-3dfe": pose_classes.BU_3DFE,
    "multi-pie": pose_classes.MULTI_PIE,
    "kdef": pose_classes.KDEF,
    "five-yaws": pose_classes.FIVE_YAWS,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `make_plan` decided."""

    recipe: Recipe
    store: PreparedStore | ConcatStore
    fold: Fold
    config: Any  # of the network
    augmentation: Augmentation
    poses: PoseLabels | None
    weights_folder: Path  # of pretrained weights that the package does not ship
    fold_info: FoldInfo | None  # of protocols with folds: the test set that nothing else may touch


def make_plan(
    recipe: Recipe,
    data: Path,
    *,
    extra_data: Sequence[Path] = (),
    fold: int = 0,
    weights_folder: Path = Path("weights"),
) -> Plan:
    """Check that recipe and data fit each other, and choose the training, validation and test set.

    `extra_data`: further prepared sets, whose training part (or all, where they have none) joins the training set
    in the classes of the first. Raises `OptionError` or `DataError` where something does not fit, `WeightsError`
    where pretrained weights are absent.
    """
    for source in (*recipe.pretrained.values(), *recipe.teachers):
        pretrained_manifest(source, weights_folder)
    first = _matching_store(recipe, data)
    settings = {"seed": recipe.seed, "validation_fraction": recipe.validation_fraction}
    settings |= {"k": recipe.folds} if recipe.folds else {}
    folds = protocol(recipe.protocol, **settings).folds(first.samples)
    if not 0 <= fold < len(folds):
        raise OptionError(f"--fold {fold}: {recipe.protocol} gives {len(folds)} here, counted from 0")
    store, chosen = _with_extra(first, extra_data, folds[fold])
    augmentation = _augmentation(recipe, template=first.header.settings["template"])
    poses = _poses(recipe, store)
    return Plan(
        recipe=recipe,
        store=store,
        fold=chosen,
        config=_config(recipe, classes=len(first.labels), poses=poses),
        augmentation=augmentation,
        poses=poses,
        weights_folder=weights_folder,
        fold_info=_fold_info(recipe.protocol, settings, first, folds, fold),
    )


def _matching_store(recipe: Recipe, data: Path) -> PreparedStore:
    store = PreparedStore(data)
    if recipe.data and store.header.set != recipe.data:
        raise OptionError(
            f"{data} holds {store.header.set}, the recipe {recipe.name} is for {recipe.data}: "
            "prepare that set, or write a recipe of your own (--set data=NAME changes this one)"
        )
    if recipe.variant and store.header.variant != recipe.variant:
        raise OptionError(
            f"{data} holds the variant {store.header.variant!r}, the recipe wants {recipe.variant!r}: "
            f"mien data prepare {recipe.data} --variant {recipe.variant}"
        )
    return store


def _with_extra(
    first: PreparedStore, extra_data: Sequence[Path], fold: Fold
) -> tuple[PreparedStore | ConcatStore, Fold]:
    """The store of all sets, and the fold with the training sets joined. A set is refused twice."""
    seen: dict[tuple[str, str], Path] = {}
    stores = [first, *map(PreparedStore, extra_data)]
    for store in stores:
        key = (store.header.set, store.header.samples)
        if key in seen:
            raise OptionError(f"--extra-data {store.folder} holds the same images as {seen[key]}; give another set")
        seen[key] = store.folder
    if not extra_data:
        return first, fold
    joined = ConcatStore(first, stores[1:])
    rows = [fold.train]
    for position, store in enumerate(stores[1:], 1):
        train = CrossDataset(validation_fraction=0.0).folds(store.samples)[0].train
        rows.append(joined.rows_of(position, train))
    return joined, replace(fold, train=np.concatenate(rows))


def _augmentation(recipe: Recipe, *, template: str) -> Augmentation:
    augmentation = preset(recipe.augmentation)
    inputs = replace(augmentation.inputs, template=template, size_px=recipe.size_px or augmentation.inputs.size_px)
    mix = Mixup(alpha=recipe.mixup) if recipe.mixup else augmentation.mix
    if mix and recipe.poses:
        raise OptionError("a mixed image has no pose: set mixup to 0 where poses are trained")
    return replace(augmentation, inputs=inputs, mix=mix)


def _poses(recipe: Recipe, store: PreparedStore | ConcatStore) -> PoseLabels | None:
    if not recipe.poses:
        return None
    if recipe.poses not in POSE_CLASSES:
        raise UnknownNameError("set of pose classes", recipe.poses, POSE_CLASSES)
    return pose_labels(store, POSE_CLASSES[recipe.poses])


def _config(recipe: Recipe, *, classes: int, poses: PoseLabels | None) -> Any:
    changes: dict[str, Any] = {"classes": classes, **recipe.model_kwargs}
    if poses is not None:
        changes["poses"] = len(poses.classes)
    changes = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
    config = configure(recipe.network, config_name=recipe.config_name, **changes)
    if recipe.teachers and isinstance(config, PhaNetConfig):
        raise OptionError(
            "phanet's joint loss has no term for teachers; remove teachers and loss.distillation_weight"
        )
    return config


def _fold_info(
    name: str, settings: dict[str, Any], store: PreparedStore, folds: list[Fold], fold: int
) -> FoldInfo | None:
    if name in ("official", "cross"):
        return None
    row = store.column("row")
    if row is None:
        raise DataError(f"{store.folder} does not say which rows of the set it holds; prepare the set again")
    return FoldInfo(
        set=store.header.set,
        variant=store.header.variant,
        samples=store.header.samples,
        protocol=name,
        settings=settings,
        fold=fold,
        folds=len(folds),
        name=folds[fold].name,
        test=tuple(row[folds[fold].test].tolist()),
    )
