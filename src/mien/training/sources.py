"""The prepared sets of a run as sources: which images each gives, and which classes its labels can state.

A source is called like its folder (`source_names`). That a source never shows a class is no evidence against it:
where another source shows it, the loss of this source is taken over its own classes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.datasets.splits.protocols import CrossDataset, Fold
from mien.errors import OptionError, UnknownNameError
from mien.labels import FERPLUS, LabelSet
from mien.prepared.concat import ConcatStore
from mien.prepared.store import PreparedStore
from mien.training.recipe import Recipe

OTHERS = "*"  # in `Recipe.shares`: any source that is not named


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """One prepared set of a run. Rows are those of all sets together."""

    name: str
    train: np.ndarray  # rows
    valid: np.ndarray  # rows; none for a set that is for training only
    labels: LabelSet  # of the set


def open_stores(data: Sequence[Path], extra_data: Sequence[Path]) -> list[PreparedStore]:
    """All prepared sets; raises `OptionError` for images that are given twice."""
    stores = [PreparedStore(folder) for folder in (*data, *extra_data)]
    seen: dict[tuple[str, str], Path] = {}
    for i, store in enumerate(stores):
        option, key = "--data" if i < len(data) else "--extra-data", (store.header.set, store.header.samples)
        if key in seen:
            raise OptionError(f"{option} {store.folder} holds the same images as {seen[key]}; give another set")
        seen[key] = store.folder
    return stores


def source_names(stores: Sequence[PreparedStore]) -> list[str]:
    """The name of each folder, with as many of the folders above as it takes to tell them apart."""
    parts = [store.folder.resolve().parts for store in stores]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            break
    return names


def joined_labels(stores: Sequence[PreparedStore]) -> LabelSet:
    """The classes of all sets: in the order of FER+ as far as they are its eight, then the others as they come."""
    if len(stores) == 1:
        return stores[0].labels
    every = list(dict.fromkeys(str(label) for store in stores for label in store.labels))
    return LabelSet(
        [*(str(label) for label in FERPLUS if str(label) in every), *(x for x in every if x not in FERPLUS)]
    )


def joined_fold(store: ConcatStore, folds: Sequence[Fold], count: int) -> tuple[Fold, tuple[Source, ...]]:
    """The folds of the first `count` stores as one; of the others all that may train does."""
    sources, names = [], source_names(store.stores)
    for i, one in enumerate(store.stores):
        if i < count:
            train, valid = folds[i].train, folds[i].valid
        else:
            train = CrossDataset(validation_fraction=0.0).folds(one.samples)[0].train
            valid = train[:0]
        sources.append(
            Source(
                name=names[i],
                train=store.rows_of(i, train),
                valid=store.rows_of(i, valid),
                labels=one.labels,
            )
        )
    joined = replace(
        folds[0],
        name=folds[0].name if count == 1 else " and ".join(source.name for source in sources[:count]),
        train=np.concatenate([source.train for source in sources]),
        valid=np.concatenate([source.valid for source in sources]),
        leaks=tuple(leak for fold in folds for leak in fold.leaks),
    )
    return joined, tuple(sources)


def known_classes(
    sources: Sequence[Source], targets: np.ndarray, labels: LabelSet, stated: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """(S, K) bool: which classes take part in the loss of each source.

    Those that occur in its targets (N, K), or those `stated` for it; and every class that no source
    shows, which all teach to be absent.
    """
    for name, classes in stated.items():
        if unknown := [label for label in classes if label not in labels]:
            raise UnknownNameError(f"class in known_classes.{name}", unknown[0], list(map(str, labels)))
    known = np.array(
        [
            np.isin(list(map(str, labels)), list(stated[source.name]))
            if source.name in stated
            else targets[np.concatenate([source.train, source.valid])].sum(axis=0) > 0
            for source in sources
        ]
    )
    return known | ~known.any(axis=0)


def shares_of(sources: Sequence[Source], recipe: Recipe) -> dict[str, float]:
    """Source -> its share of every batch, of those that are there; {} where the recipe states none."""
    if not recipe.shares:
        return {}
    given = {}
    for source in sources:
        share = recipe.shares.get(source.name, recipe.shares.get(OTHERS, 0.0))
        if not share > 0:
            raise OptionError(
                f"{source.name}: the recipe {recipe.name} gives this source no share; its sources are "
                f"{', '.join(recipe.shares)}. Name one: --set shares.{source.name}=5"
            )
        given[source.name] = share
    total = sum(given.values())
    return {name: share / total for name, share in given.items()}
