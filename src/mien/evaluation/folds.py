"""Folds of a protocol: each fold's weights predict the images that they were not trained on.

`mien train` writes `fold.json` beside the weights of a fold; it lists the rows of the data set that they never saw.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import InputError, WeightsError
from mien.media.atomic import atomic_write
from mien.schema import parse
from mien.weights.manifest import FOLD, WeightsManifest, load_manifest

PLACEHOLDER = "{fold}"  # stands for the number of a fold in the path of weights


@dataclass(frozen=True, kw_only=True)
class FoldInfo:
    """One fold of a protocol on one data set, as its weights were trained on it."""

    set: str  # the data set's name
    variant: str
    samples: str  # fingerprint of its table
    protocol: str
    settings: dict[str, Any]  # of the protocol
    fold: int  # counted from 0
    folds: int
    name: str  # as the protocol calls it
    test: tuple[int, ...]  # rows of the table that were used neither for training nor for validation

    def write(self, folder: Path) -> None:
        """`fold.json` in a folder of weights, in one step."""
        atomic_write(folder / FOLD, (json.dumps(asdict(self)) + "\n").encode())

    @classmethod
    def of(cls, manifest: WeightsManifest) -> FoldInfo | None:
        """The fold that weights were trained on; None without a `fold.json` beside them. Raises `WeightsError`."""
        path = manifest.beside(FOLD)
        if not path.is_file():
            return None
        try:
            return parse(path.read_bytes(), cls)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} is damaged ({error}); train the fold again") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """Weights of one or all folds of a protocol, and the rows of a data set that each tests."""

    runs: list[tuple[str, FoldInfo]]
    test_fold: np.ndarray  # (N,) int: index of the run that tests a row; -1: none
    untested: int  # labelled images of the set that no fold of the protocol tests

    @property
    def complete(self) -> bool:
        """Whether all folds of the protocol are evaluated."""
        return len(self.runs) == self.runs[0][1].folds

    @property
    def title(self) -> str:
        """What is evaluated, for people."""
        first = self.runs[0][1]
        parts = f"test parts of {first.folds} folds" if self.complete else f"test part of {first.name}"
        return f"{first.protocol}, {parts}"

    def take(self, rows: np.ndarray) -> Folds:
        """Some rows."""
        return replace(self, test_fold=self.test_fold[rows])

    def weights(self, pattern: str) -> list[str]:
        """The weights of each run; raises `WeightsError` where `pattern` names those of other folds."""
        if PLACEHOLDER not in pattern:
            return [pattern] * len(self.runs)
        runs = _all_folds(pattern)
        if [fold.test for _, fold in runs] != [fold.test for _, fold in self.runs]:
            raise WeightsError(f"{pattern} and {self.runs[0][0]} are of other folds: they tested other images")
        return [path for path, _ in runs]

    def rows(self) -> list[np.ndarray]:
        """The rows that each run tests."""
        return [np.flatnonzero(self.test_fold == i) for i in range(len(self.runs))]

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Name of a fold -> which of `rows` it tests; empty where one fold alone is evaluated."""
        if len(self.runs) < 2:
            return {}
        return {fold.name: self.test_fold[rows] == i for i, (_, fold) in enumerate(self.runs)}


def folds_of(weights: str, samples: Samples, *, dataset: str) -> Folds | None:
    """The folds that weights were trained on, where `samples` is the table of that training; None otherwise.

    `weights` with {fold} must be all folds of one protocol on this table: raises `WeightsError` where they are not.
    """
    if PLACEHOLDER in weights:
        runs = _all_folds(weights)
        first = runs[0][1]
        if first.set != dataset:
            raise WeightsError(f"{weights}: the folds are of {first.set}, not of {dataset}")
        if first.samples != samples.fingerprint():
            raise WeightsError(
                f"{weights}: the folds were made of another state of {dataset} (other images, labels or variant): "
                "give the same --data" + (f" and --variant {first.variant}" if first.variant else "")
            )
    else:
        fold = FoldInfo.of(load_manifest(weights))
        if fold is None or fold.set != dataset or fold.samples != samples.fingerprint():
            return None
        runs = [(weights, fold)]
    test_fold = np.full(len(samples), -1)
    for i, (_, fold) in enumerate(runs):
        test_fold[list(fold.test)] = i
    untested = int(((samples.label >= 0) & (test_fold < 0)).sum()) if PLACEHOLDER in weights else 0
    return Folds(runs=runs, test_fold=test_fold, untested=untested)


def _all_folds(pattern: str) -> list[tuple[str, FoldInfo]]:
    """The weights of every fold of one protocol, in order.

    Raises `InputError` where a fold is missing, and `WeightsError` where they are not the folds of one protocol on
    one set, each in its place, by one network in the same classes.
    """
    runs: list[tuple[str, FoldInfo]] = []
    first: WeightsManifest | None = None
    while not runs or len(runs) < runs[0][1].folds:
        path = pattern.replace(PLACEHOLDER, str(len(runs)))
        if not Path(path).exists():
            total = f" of {runs[0][1].folds}" if runs else ""
            raise InputError(
                f"{path}: no such weights; all folds are evaluated together, and fold {len(runs)}{total} is "
                f"missing: mien train ... --fold {len(runs)}"
            )
        manifest = load_manifest(path)
        fold = FoldInfo.of(manifest)
        if fold is None:
            raise WeightsError(
                f"{manifest.folder} holds no {FOLD}: these weights were not trained on a fold by mien train (or by "
                "an older version), so the images that they never saw are unknown; train them again"
            )
        if fold.fold != len(runs):
            raise WeightsError(f"{path} was trained on fold {fold.fold}, not on fold {len(runs)}")
        first = first or manifest
        if runs and (unlike := _unlike(runs[0][1], fold) or _unlike_networks(first, manifest)):
            raise WeightsError(f"{path} and {runs[0][0]} do not belong together: {unlike}")
        runs.append((path, fold))
    rows = [row for _, fold in runs for row in fold.test]
    if len(set(rows)) < len(rows):
        raise WeightsError(f"{pattern}: {len(rows) - len(set(rows))} images are tested by more than one fold")
    return runs


def _unlike(one: FoldInfo, other: FoldInfo) -> str:
    """What differs between two folds that must not."""
    for name in ("set", "variant", "samples", "protocol", "settings", "folds"):
        before, now = getattr(one, name), getattr(other, name)
        if before != now:
            return f"another state of {one.set}" if name == "samples" else f"{name} is {now!r}, not {before!r}"
    return ""


def _unlike_networks(one: WeightsManifest, other: WeightsManifest) -> str:
    for name in ("network", "config", "labels", "inputs"):
        before, now = getattr(one, name), getattr(other, name)
        if name == "inputs":
            before, now = before.unmeasured(), now.unmeasured()
        if before != now:
            return f"{name} is {now!r}, not {before!r}"
    return ""
