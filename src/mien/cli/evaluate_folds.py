"""`mien evaluate` on the folds of a protocol: each fold's weights answer for the images that they never saw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import OptionError, WeightsError
from mien.evaluation.predictions import Predictions
from mien.weights.folds import PLACE, FoldInfo, all_folds, fold_of
from mien.weights.manifest import load_manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """Weights of one or all folds of a protocol, and what each is judged on."""

    runs: list[tuple[str, FoldInfo]]
    of_row: np.ndarray  # (N,) int: which of the runs tests a row; -1: none
    untested: int  # labelled images of the set that no fold of the protocol tests

    @property
    def whole(self) -> bool:
        """Whether all folds of the protocol are judged."""
        return len(self.runs) == self.runs[0][1].folds

    @property
    def said(self) -> str:
        """What is judged, in words."""
        first = self.runs[0][1]
        parts = f"test parts of {first.folds} folds" if self.whole else f"test part of {first.name}"
        return f"{first.protocol}, {parts}"

    def take(self, rows: np.ndarray) -> Folds:
        """Some rows."""
        return replace(self, of_row=self.of_row[rows])

    def weights(self, pattern: str) -> list[tuple[str, np.ndarray]]:
        """The weights of each fold and the rows that they answer; raises `WeightsError` for other folds."""
        runs = all_folds(pattern)
        if [fold.test for _, fold in runs] != [fold.test for _, fold in self.runs]:
            raise WeightsError(f"{pattern} and {self.runs[0][0]} are of other folds: they tested other images")
        return [(place, np.flatnonzero(self.of_row == i)) for i, (place, _) in enumerate(runs)]

    def parts(self, found: Predictions) -> dict[str, np.ndarray]:
        """Name of a fold -> which answers are its own; nothing to tell apart where one fold was judged."""
        if len(self.runs) < 2:
            return {}
        return {fold.name: self.of_row[found.row] == i for i, (_, fold) in enumerate(self.runs)}


def folds_of(weights: str, samples: Samples, *, set: str) -> Folds | None:
    """The folds that weights were trained on, where `samples` is the table of that training; None otherwise.

    `weights` with {fold} must be all folds of one protocol on this table: raises `WeightsError` where they are not.
    """
    if PLACE in weights:
        runs = all_folds(weights)
        first = runs[0][1]
        if first.set != set:
            raise WeightsError(f"{weights}: the folds are of {first.set}, not of {set}")
        if first.samples != samples.fingerprint():
            raise WeightsError(
                f"{weights}: the folds were made of another state of {set} (other images, labels or variant): "
                "give the same --data" + (f" and --variant {first.variant}" if first.variant else "")
            )
    else:
        fold = fold_of(load_manifest(weights))
        if fold is None or fold.set != set or fold.samples != samples.fingerprint():
            return None
        runs = [(weights, fold)]
    of_row = np.full(len(samples), -1)
    for i, (_, fold) in enumerate(runs):
        of_row[list(fold.test)] = i
    untested = int(((samples.label >= 0) & (of_row < 0)).sum()) if PLACE in weights else 0
    return Folds(runs=runs, of_row=of_row, untested=untested)


def check_options(*, split: str, no_duplicates: bool, under: str) -> None:
    """Raise `OptionError` for what does not go together with all folds."""
    given = {"--split": bool(split), "--no-duplicates": no_duplicates, "--under": bool(under)}
    if wrong := [name for name, there in given.items() if there]:
        raise OptionError(f"{', '.join(wrong)}: not with {PLACE} in --weights; there the folds say what is judged")
