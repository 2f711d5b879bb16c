"""The weights that a run starts or learns from, and whether they saw the images that it is validated on."""

from __future__ import annotations

import numpy as np

from mien.evaluation.folds import FoldInfo
from mien.evaluation.validation_rows import ValidationSets
from mien.prepared.store import PreparedStore
from mien.training.initialize import pretrained_manifest
from mien.training.plan import Plan
from mien.weights.manifest import WeightsManifest


def trained_on(plan: Plan) -> tuple[str, ...]:
    """What a manifest states: the sets that train the run or choose its epoch, and those of its origins."""
    entries = []
    for store, rows in plan.rows_by_set(np.concatenate([plan.fold.train, plan.fold.valid])):
        table, splits = f"{store.header.set}:{store.header.samples}", store.samples.splits
        used = [name for name in splits if (store.samples.split[rows] == name).any()] or ["no split"]
        entries += [f"{table}/{name}" for name in used] if splits else [table]
    return tuple(dict.fromkeys([*entries, *(entry for one in _origins(plan) for entry in one.trained_on)]))


def seen_before(plan: Plan) -> list[str]:
    """What the run is validated on, or tested at its end, although weights that it starts from learned from it."""
    rows = plan.fold.valid if plan.fold_info is None else np.concatenate([plan.fold.valid, plan.fold.test])
    return [
        f"{manifest.name}, which the run starts or learns from, learned from images of {store.header.set} that "
        "the run is validated on: its accuracy is higher than on new images"
        for manifest in {one.path: one for one in _origins(plan)}.values()
        for store, of_set in plan.rows_by_set(rows)
        if len(of_set) and _learned_from(manifest, store, of_set)
    ]


def _learned_from(manifest: WeightsManifest, store: PreparedStore, rows: np.ndarray) -> bool:
    """Whether weights learned from some of these rows of a set, as far as their manifest says."""
    name, samples, splits = store.header.set, store.header.samples, set(map(str, store.samples.split[rows])) - {""}
    if manifest.saw(name, splits):
        return True
    row = store.column("row")
    if row is None or not manifest.saw(f"{name}:{samples}", splits):
        return False
    held_out = set(ValidationSets.of(manifest).rows_of(name, samples) or ())
    if (fold := FoldInfo.of(manifest)) is not None and (fold.set, fold.samples) == (name, samples):
        held_out |= set(fold.test)
    return not held_out.issuperset(map(int, row[rows]))


def _origins(plan: Plan) -> list[WeightsManifest]:
    """The weights that the run starts from and learns from."""
    names = dict.fromkeys((*plan.recipe.pretrained.values(), *plan.recipe.teachers))
    return [pretrained_manifest(name, plan.weights_folder) for name in names]
