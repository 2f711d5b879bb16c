"""A recipe made concrete on one prepared set: what is trained, validated and tested on, and as which network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.augment.mixing import Mixup
from mien.augment.presets import Augmentation, preset
from mien.datasets.splits.protocols import Fold, protocol
from mien.errors import DataError, OptionError, UnknownNameError
from mien.evaluation.folds import FoldInfo
from mien.faces.framing import Framing
from mien.models import configure
from mien.prepared import poses as pose_classes
from mien.prepared.concat import ConcatStore
from mien.prepared.image_framing import framing_of
from mien.prepared.poses import PoseLabels, pose_labels
from mien.prepared.store import PreparedStore
from mien.preprocess import IMAGE
from mien.training.initialize import pretrained_manifest
from mien.training.recipe import Recipe
from mien.training.sources import Source, joined_fold, joined_labels, open_stores

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
    sources: tuple[Source, ...]  # the prepared sets, with the rows that each has in `fold`
    config: Any  # of the network
    augmentation: Augmentation
    framing: Framing | None  # of the training images, where they are as their set has them; None: aligned, no face
    poses: PoseLabels | None
    weights_folder: Path  # of pretrained weights that the package does not ship
    fold_info: FoldInfo | None  # of protocols with folds: the test set that nothing else may touch

    @property
    def framing_note(self) -> str:
        """How faces in photos are framed, where the training images are as their set has them; otherwise empty."""
        if self.augmentation.inputs.template != IMAGE:
            return ""
        if self.framing is not None:
            return f"trained on images as their set has them; {self.framing.describe()}"
        return (
            f"trained on images of {self.store.title} as the set has them; no face was detected in any, so where "
            "faces lie in them is not known: photos cannot be predicted, mien evaluate --no-align can"
        )

    def rows_by_set(self, rows: np.ndarray) -> Sequence[tuple[PreparedStore, np.ndarray]]:
        """Rows of `store` as those of each prepared set."""
        return self.store.parts(rows) if isinstance(self.store, ConcatStore) else [(self.store, rows)]


def make_plan(
    recipe: Recipe,
    data: Path | Sequence[Path],
    *,
    extra_data: Sequence[Path] = (),
    fold: int = 0,
    weights_folder: Path = Path("weights"),
) -> Plan:
    """Check that recipe and data fit each other, and choose the training, validation and test set.

    `data`: a prepared set, or several, whose classes are joined and each of which is split by the recipe's protocol
    and validated. `extra_data`: further sets for training only (their training part, or all where they have none).
    Raises `OptionError` or `DataError` where something does not fit, `WeightsError` where pretrained weights are
    absent.
    """
    for source in (*recipe.pretrained.values(), *recipe.teachers):
        pretrained_manifest(source, weights_folder)
    folders = [data] if isinstance(data, Path) else list(data)
    if not folders:
        raise OptionError("data is an empty list; give a prepared set, or several")
    stores = open_stores(folders, extra_data)
    first = stores[0]
    _check_set(recipe, first)
    settings = {"seed": recipe.seed, "validation_fraction": recipe.validation_fraction}
    settings |= {"k": recipe.folds} if recipe.folds else {}
    if len(folders) > 1 and recipe.protocol not in ("official", "cross"):
        raise OptionError(f"protocol {recipe.protocol} has folds, which belong to one set; give one --data")
    folds = [protocol(recipe.protocol, **settings).folds(store.samples) for store in stores[: len(folders)]]
    if not 0 <= fold < len(folds[0]):
        raise OptionError(f"--fold {fold}: {recipe.protocol} gives {len(folds[0])} here, counted from 0")
    joined = ConcatStore(first, stores[1:], labels=joined_labels(stores[: len(folders)]))
    chosen, sources = joined_fold(joined, [of_set[fold] for of_set in folds], len(folders))
    store = first if len(stores) == 1 else joined
    template = first.header.settings["template"]
    rows = np.concatenate([source.train for source in sources])
    framing = framing_of(store.take(rows)) if template == IMAGE else None
    poses = _poses(recipe, store)
    return Plan(
        recipe=recipe,
        store=store,
        fold=chosen,
        sources=sources,
        config=_config(recipe, classes=len(store.labels), poses=poses),
        augmentation=_augmentation(recipe, template=template, framing=framing),
        framing=framing,
        poses=poses,
        weights_folder=weights_folder,
        fold_info=_fold_info(recipe.protocol, settings, first, folds[0], fold),
    )


def _check_set(recipe: Recipe, store: PreparedStore) -> None:
    """Raises `OptionError` where the recipe is for another set."""
    data = store.folder
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


def _augmentation(recipe: Recipe, *, template: str, framing: Framing | None) -> Augmentation:
    augmentation = preset(recipe.augmentation)
    inputs = replace(
        augmentation.inputs,
        template=template,
        points=None if framing is None else framing.points,
        aspect=1.0 if framing is None else framing.aspect,
        size_px=recipe.size_px or augmentation.inputs.size_px,
    )
    mix = Mixup(alpha=recipe.mixup, p=recipe.mixup_share) if recipe.mixup else augmentation.mix
    if mix and mix.p == 1 and recipe.poses:
        raise OptionError(
            "a mixed image has no pose: where poses are trained set mixup to 0, or mixup_share below 1"
        )
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
    return configure(recipe.network, config_name=recipe.config_name, **changes)


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
