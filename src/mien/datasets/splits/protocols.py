"""Protocols: which images are for training, validation and test. What leaks between them is reported.

What must not leak are subjects, groups (one video, one shot from several cameras) and near-duplicates, the last as
`mien.datasets.audit.duplicates` numbers them. A protocol of folds keeps them together; on an official split they
are reported in `Fold.leaks`, and the copies in training can be dropped.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np

from mien import plugins
from mien.datasets.samples import Samples
from mien.datasets.splits.grouping import connected_groups, stratified_group_split
from mien.errors import DataError, OptionError
from mien.wording import counted

Key = Literal["subject", "group"]
PARTS = (("train", "valid"), ("train", "test"), ("valid", "test"))


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Subjects, groups or near-duplicates that two parts of a fold share."""

    kind: str  # "subject", "group", "near-duplicate"; "unnamed subject", "unnamed group": nobody can tell
    parts: tuple[str, str]  # "train", "valid" or "test", the training side first
    count: int  # subjects, groups, groups of near-duplicates, or images that name none
    rows: tuple[int, int]  # images concerned on either side
    examples: tuple[str, ...]

    def __str__(self) -> str:
        left, right = self.parts
        if self.kind.startswith("unnamed"):
            name = self.kind.removeprefix("unnamed ")
            return f"{self.rows[0]:,} images of {left} and {self.rows[1]:,} of {right} name no {name}"
        what = counted(self.count, self.kind)
        return f"{what} in both {left} and {right} ({self.rows[0]:,} and {self.rows[1]:,} images)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Rows of a table, ascending: training, validation and test set."""

    name: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    leaks: tuple[Leak, ...]  # empty: nothing that was compared is shared
    compared: tuple[str, ...]  # of "subject", "group", "near-duplicate": what was known


class Folding(Protocol):
    """What every protocol on one table does."""

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """The folds of a table.

        `near` (N,) int: groups of near-duplicates, -1 for none (`Duplicates.groups`); None: not known.
        Rows without a single label are left out of valid and test; train keeps those that have votes.
        """


@dataclass(frozen=True, kw_only=True)
class OfficialSplit:
    """The set's own train and test parts.

    Where a set publishes no test labels, its validation part is the test, as its papers have it; where no part is
    left for validation, `validation_fraction` of train is held out: whole subjects and groups, near-duplicates
    together, classes balanced.
    """

    validation_fraction: float = 0.1  # 0: hold nothing out
    seed: int = 0
    drop_copies: bool = False  # leave out of train and valid what is a near-duplicate of a later part

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """One fold; raises `DataError` where there is no train part or nothing to test on."""
        test_part = _test_part(samples)
        train = np.flatnonzero((samples.split == "train") & _trainable(samples))
        if not len(train):
            raise DataError(f"{samples.files} has no train part; protocol subject-folds or group-folds makes one")
        test = np.flatnonzero((samples.split == test_part) & (samples.label >= 0))
        if test_part == "test" and "valid" in samples.splits:
            valid = np.flatnonzero((samples.split == "valid") & (samples.label >= 0))
        else:
            train, valid = _held_out(
                samples, train, near, ("subject", "group"), self.validation_fraction, self.seed
            )
        if self.drop_copies:
            if near is None:
                raise OptionError(
                    "drop_copies needs to know the near-duplicates: give near, the groups of near_duplicates"
                )
            valid = valid[~_shared(near[valid], near[test])]
            train = train[~_shared(near[train], near[np.concatenate([valid, test])])]
        return [make_fold(f"official, tested on {test_part}", samples, near, train, valid, test)]


@dataclass(frozen=True, kw_only=True)
class SubjectFolds:
    """k folds; no subject and no near-duplicate stands on two sides of any of them."""

    k: int = 10
    validation_fraction: float = 0.1  # of what is left to train, whole subjects; 0: hold nothing out
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """k folds; raises `DataError` where subjects are unknown or fewer than folds."""
        return _folds(samples, near, "subject", self.k, self.validation_fraction, self.seed)


@dataclass(frozen=True, kw_only=True)
class LeaveOneSubjectOut:
    """As many folds as subjects; near-duplicates join the subjects that share them."""

    validation_fraction: float = 0.1  # of what is left to train, whole subjects; 0: hold nothing out
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """One fold per subject, in the order of their names; raises `DataError` where subjects are unknown."""
        unit = _units(samples, near, "subject")
        column = _column(samples, "subject")
        members = [unit == one for one in np.unique(unit[(samples.label >= 0) & (column != "")])]
        if len(members) < 2:
            raise DataError(f"{samples.files}: {len(members)} subject; at least 2 are needed to leave one out")
        named = {" + ".join(sorted(set(column[rows].tolist()) - {""})): rows for rows in members}
        return [
            _one_of(
                f"without {name}", samples, near, named[name], ("subject",), self.validation_fraction, self.seed
            )
            for name in sorted(named)
        ]


@dataclass(frozen=True, kw_only=True)
class GroupFolds:
    """k folds over videos or shots; no group and no near-duplicate stands on two sides of any of them."""

    k: int = 5
    validation_fraction: float = 0.1  # of what is left to train, whole groups; 0: hold nothing out
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """k folds; raises `DataError` where groups are unknown or fewer than folds."""
        return _folds(samples, near, "group", self.k, self.validation_fraction, self.seed)


@dataclass(frozen=True, kw_only=True)
class CrossDataset:
    """Train on one set and test on any other: one fold without a test part.

    Trained on is the train part, or without one the images that are in no part; `validation_fraction` as in
    `OfficialSplit`.
    """

    validation_fraction: float = 0.1
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """One fold, in all classes of the set; raises `DataError` where nothing is to train on."""
        part = "train" if "train" in samples.splits else ""
        train = np.flatnonzero((samples.split == part) & _trainable(samples))
        if not len(train):
            there = ", ".join(samples.splits) or "no parts"
            raise DataError(
                f"{samples.files} has no labelled image to train on, in a train part or in none: {there}"
            )
        if "valid" in samples.splits:
            valid = np.flatnonzero((samples.split == "valid") & (samples.label >= 0))
        else:
            train, valid = _held_out(
                samples, train, near, ("subject", "group"), self.validation_fraction, self.seed
            )
        return [make_fold("cross", samples, near, train, valid, train[:0])]


PROTOCOLS: dict[str, type[Folding]] = {  # the names that `DatasetInfo` and recipes use
    "official": OfficialSplit,
    "subject-folds": SubjectFolds,
    "leave-one-subject-out": LeaveOneSubjectOut,
    "group-folds": GroupFolds,
    "cross": CrossDataset,
}


def protocol(name: str, **options: Any) -> Folding:
    """The protocol called `name`, or your own by its import path, `mypkg.split:Halves`.

    Raises `UnknownNameError`, and `OptionError` for an option it does not have.
    """
    kind: Any = PROTOCOLS.get(name) or plugins.resolve("protocol", name, dict.fromkeys(PROTOCOLS, ""))
    if not isinstance(kind, type) or not callable(getattr(kind, "folds", None)):
        raise OptionError(f"protocol {name}: give a class with a method folds(samples, *, near=None)")
    try:
        return cast(Folding, kind(**options))
    except TypeError:
        known = ", ".join(inspect.signature(kind).parameters)
        raise OptionError(f"protocol {name} has the options {known}; given: {', '.join(options)}") from None


def _test_part(samples: Samples) -> str:
    """The part to test on: test, or valid where test is absent or without labels."""
    for part in ("test", "valid"):
        if ((samples.split == part) & (samples.label >= 0)).any():
            return part
    there = ", ".join(samples.splits) or "no parts"
    raise DataError(f"{samples.files} has no labelled test or valid part; it has {there}")


def _trainable(samples: Samples) -> np.ndarray:
    """Mask (N,) of the rows that can train: one label, or votes."""
    labelled = samples.label >= 0
    if samples.votes is None:
        return labelled
    return labelled | (np.nan_to_num(samples.votes).sum(axis=1) > 0)


def _column(samples: Samples, key: Key) -> np.ndarray:
    """Subjects or groups; raises `DataError` where the set names none."""
    column: np.ndarray | None = getattr(samples, key)
    if column is None or not (column != "").any():
        raise DataError(f"{samples.files} names no {key}s; protocol official or another set is needed")
    return column


def _units(samples: Samples, near: np.ndarray | None, key: Key) -> np.ndarray:
    return connected_groups(len(samples), [_column(samples, key), *([] if near is None else [near])])


def _folds(
    samples: Samples, near: np.ndarray | None, key: Key, k: int, validation_fraction: float, seed: int
) -> list[Fold]:
    """k folds over whole units of a key; rows that cannot be tested stay with train."""
    if k < 2:
        raise OptionError(f"k is {k}; at least 2 folds are needed")
    unit = _units(samples, near, key)
    tested = samples.label >= 0
    units = len(np.unique(unit[tested]))
    if units < k:
        together = f" that share no near-duplicate with another {key}" if near is not None else ""
        raise DataError(f"{samples.files} has {units} {key}s{together}, too few for {k} folds; lower k")
    part = np.full(unit.max() + 1, -1)
    part[unit[tested]] = stratified_group_split(unit[tested], samples.label[tested], [1] * k, seed=seed)
    return [
        _one_of(f"fold {i + 1} of {k}", samples, near, part[unit] == i, (key,), validation_fraction, seed)
        for i in range(k)
    ]


def _one_of(
    name: str,
    samples: Samples,
    near: np.ndarray | None,
    out: np.ndarray,
    keys: Sequence[Key],
    validation_fraction: float,
    seed: int,
) -> Fold:
    """The fold that tests on the rows of a mask (N,) and learns from the others."""
    train = np.flatnonzero(~out & _trainable(samples))
    train, valid = _held_out(samples, train, near, keys, validation_fraction, seed)
    return make_fold(name, samples, near, train, valid, np.flatnonzero(out & (samples.label >= 0)))


def _held_out(
    samples: Samples, train: np.ndarray, near: np.ndarray | None, keys: Sequence[Key], share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into train and valid by whole units; valid keeps rows with a single label only."""
    if not 0 <= share < 1:
        raise OptionError(f"validation_fraction is {share}; it must be at least 0 and below 1")
    if share == 0:
        return train, train[:0]
    columns = [column[train] for key in keys if (column := getattr(samples, key)) is not None]
    unit = connected_groups(len(train), [*columns, *([] if near is None else [near[train]])])
    if not unit.any():
        raise DataError(
            f"{samples.files}: all that is left to train on belongs together; set validation_fraction=0"
        )
    chosen = stratified_group_split(unit, samples.label[train], [1 - share, share], seed=seed) == 1
    valid = train[chosen]
    return train[~chosen], valid[samples.label[valid] >= 0]


def make_fold(
    name: str, samples: Samples, near: np.ndarray | None, train: np.ndarray, valid: np.ndarray, test: np.ndarray
) -> Fold:
    """A fold with everything that crosses between its parts."""
    rows = {"train": train, "valid": valid, "test": test}
    links = {"subject": samples.subject, "group": samples.group, "near-duplicate": near}
    leaks = [
        leak
        for kind, column in links.items()
        if column is not None
        for parts in PARTS
        for leak in _leaks(kind, parts, *(column[rows[part]] for part in parts))
    ]
    compared = tuple(kind for kind, column in links.items() if column is not None)
    return Fold(name=name, train=train, valid=valid, test=test, leaks=tuple(leaks), compared=compared)


def _leaks(kind: str, parts: tuple[str, str], left: np.ndarray, right: np.ndarray) -> list[Leak]:
    """What two parts share, and how many of their images name nothing that could be compared."""
    leaks = []
    both = sorted(set(left[_names(left)].tolist()) & set(right[_names(right)].tolist()))
    if both:
        rows = (int(_shared(left, right).sum()), int(_shared(right, left).sum()))
        examples = tuple(str(value) for value in both[:3])
        leaks.append(Leak(kind=kind, parts=parts, count=len(both), rows=rows, examples=examples))
    if kind != "near-duplicate" and len(left) and len(right):
        rows = (int((~_names(left)).sum()), int((~_names(right)).sum()))
        if any(rows):
            leaks.append(Leak(kind=f"unnamed {kind}", parts=parts, count=sum(rows), rows=rows, examples=()))
    return leaks


def _names(column: np.ndarray) -> np.ndarray:
    """Mask of the values that mean something."""
    return column != ("" if column.dtype.kind in "OU" else -1)


def _shared(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mask of the values that occur among the others."""
    wanted = set(others[_names(others)].tolist())
    return np.array([value in wanted for value in values.tolist()], dtype=bool)
