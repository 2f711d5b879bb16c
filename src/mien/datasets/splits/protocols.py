"""Protocols: which images train, which choose, which test. Nothing crosses without being said.

What must not cross are subjects, groups (one video, one shot from several cameras) and near-duplicates, the last as
`mien.datasets.audit.duplicates` numbers them. A protocol of folds keeps them together; on an official split they are
reported in `Fold.leaks`, and the copies in training can be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from mien.datasets.samples import Samples
from mien.datasets.splits.grouping import deal, joined
from mien.errors import DataError, OptionError, UnknownNameError
from mien.labels import LabelSet

Key = Literal["subject", "group"]
PARTS = (("train", "valid"), ("train", "test"), ("valid", "test"))


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What stands on both sides of a fold."""

    kind: str  # "subject", "group", "near-duplicate"; "unnamed subject", "unnamed group": nobody can tell
    parts: tuple[str, str]  # "train", "valid" or "test", the side that learns first
    count: int  # subjects, groups, groups of near-duplicates, or images that name none
    rows: tuple[int, int]  # images concerned on either side
    examples: tuple[str, ...]

    def __str__(self) -> str:
        left, right = self.parts
        if self.kind.startswith("unnamed"):
            name = self.kind.removeprefix("unnamed ")
            return f"{self.rows[0]:,} images of {left} and {self.rows[1]:,} of {right} name no {name}"
        what = f"{self.count:,} {self.kind}{'s' * (self.count != 1)}"
        return f"{what} in both {left} and {right} ({self.rows[0]:,} and {self.rows[1]:,} images)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Rows of a table, ascending: `train` learns, `valid` chooses, `test` is measured once."""

    name: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    leaks: tuple[Leak, ...]  # empty: nothing of what was compared crosses
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
    left to choose on, `valid_share` of train is held out: whole subjects and groups, near-duplicates together,
    classes balanced.
    """

    valid_share: float = 0.1  # 0: hold nothing out
    seed: int = 0
    drop_copies: bool = False  # leave out of train and valid what is a near-duplicate of a later part

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """One fold; raises `DataError` where there is no train part or nothing to test on."""
        test_part = _test_part(samples)
        train = np.flatnonzero((samples.split == "train") & _learnable(samples))
        if not len(train):
            raise DataError(f"{samples.files} has no train part; protocol subject-folds or group-folds makes one")
        test = np.flatnonzero((samples.split == test_part) & (samples.label >= 0))
        if test_part == "test" and "valid" in samples.splits:
            valid = np.flatnonzero((samples.split == "valid") & (samples.label >= 0))
        else:
            train, valid = _held_out(samples, train, near, ("subject", "group"), self.valid_share, self.seed)
        if self.drop_copies:
            if near is None:
                raise OptionError(
                    "drop_copies needs to know the near-duplicates: give near, the groups of near_duplicates"
                )
            valid = valid[~_shared(near[valid], near[test])]
            train = train[~_shared(near[train], near[np.concatenate([valid, test])])]
        return [_fold(f"official, tested on {test_part}", samples, near, train, valid, test)]


@dataclass(frozen=True, kw_only=True)
class SubjectFolds:
    """k folds; no subject and no near-duplicate stands on two sides of any of them."""

    k: int = 10
    valid_share: float = 0.1  # of what is left to train, whole subjects; 0: hold nothing out
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """k folds; raises `DataError` where subjects are unknown or fewer than folds."""
        return _folds(samples, near, "subject", self.k, self.valid_share, self.seed)


@dataclass(frozen=True, kw_only=True)
class LeaveOneSubjectOut:
    """As many folds as subjects; near-duplicates join the subjects that share them."""

    valid_share: float = 0.1  # of what is left to train, whole subjects; 0: hold nothing out
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
            _one_of(f"without {name}", samples, near, named[name], ("subject",), self.valid_share, self.seed)
            for name in sorted(named)
        ]


@dataclass(frozen=True, kw_only=True)
class GroupFolds:
    """k folds over videos or shots; no group and no near-duplicate stands on two sides of any of them."""

    k: int = 5
    valid_share: float = 0.1  # of what is left to train, whole groups; 0: hold nothing out
    seed: int = 0

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """k folds; raises `DataError` where groups are unknown or fewer than folds."""
        return _folds(samples, near, "group", self.k, self.valid_share, self.seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossing:
    """Two tables in the classes that both know.

    `fold.train` and `fold.valid` are rows of the table `train`, `fold.test` those of the table `test`.
    """

    train: Samples
    test: Samples
    fold: Fold


@dataclass(frozen=True, kw_only=True)
class CrossDataset:
    """Train on one set, test on another, in the classes that both have by name.

    Trained on is the train part of the first (all of it where it has no parts); tested on the test part of the
    second as `OfficialSplit` understands it (all of it where it has no parts).
    """

    valid_share: float = 0.1
    seed: int = 0
    drop_copies: bool = False  # leave images of the first set out that are near-duplicates of a test image

    def cross(self, first: Samples, second: Samples, *, near: np.ndarray | None = None) -> Crossing:
        """The two tables and one fold; raises `DataError` where fewer than two classes are shared.

        `near` (len(first) + len(second),) int: groups of near-duplicates over both tables, the first one's rows
        first (`Scan.followed_by`). Subjects of different sets are taken for different people whatever they are
        called.
        """
        shared = LabelSet(" ".join(name for name in first.labels if name in second.labels))
        if len(shared) < 2:
            raise DataError(f"{first.files} and {second.files} share {len(shared)} classes; at least 2 are needed")
        near_first, near_second = (None, None) if near is None else (near[: len(first)], near[len(first) :])
        first, near_first = _restricted(first, near_first, shared)
        second, near_second = _restricted(second, near_second, shared)
        train, valid = self._learned_from(first, near_first)
        tested = second.label >= 0
        if second.splits:
            tested &= second.split == _test_part(second)
        test = np.flatnonzero(tested)
        if near_first is not None and near_second is not None:
            if self.drop_copies:
                train, valid = (rows[~_shared(near_first[rows], near_second[test])] for rows in (train, valid))
                train = train[~_shared(near_first[train], near_first[valid])]
        elif self.drop_copies:
            raise OptionError("drop_copies needs to know the near-duplicates of both sets: give near")
        name = f"{len(shared)} shared classes"
        inside = _fold(name, first, near_first, train, valid, train[:0])
        leaks = [*inside.leaks]
        if near_first is not None and near_second is not None:
            for side, rows in (("train", train), ("valid", valid)):
                leaks += _leaks("near-duplicate", (side, "test"), near_first[rows], near_second[test])
        fold = replace(inside, test=test, leaks=tuple(leaks))
        return Crossing(train=first, test=second, fold=fold)

    def folds(self, samples: Samples, *, near: np.ndarray | None = None) -> list[Fold]:
        """The first set alone, in all its classes: one fold without a test part. Any other set may test it."""
        if self.drop_copies:
            raise OptionError("drop_copies needs both sets")
        train, valid = self._learned_from(samples, near)
        return [_fold("tested elsewhere", samples, near, train, valid, train[:0])]

    def _learned_from(self, first: Samples, near: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of train and valid."""
        part = "train" if "train" in first.splits else ""
        train = np.flatnonzero(((first.split == part) | (part == "")) & _learnable(first))
        if "valid" in first.splits and part:
            return train, np.flatnonzero((first.split == "valid") & (first.label >= 0))
        return _held_out(first, train, near, ("subject", "group"), self.valid_share, self.seed)


PROTOCOLS: dict[str, Any] = {  # the names that infos and recipes use
    "official": OfficialSplit,
    "subject-folds": SubjectFolds,
    "leave-one-subject-out": LeaveOneSubjectOut,
    "group-folds": GroupFolds,
    "cross": CrossDataset,
}


def protocol(name: str, **options: Any) -> Any:
    """The protocol called `name`; raises `UnknownNameError`, and `OptionError` for an option it does not have."""
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    try:
        return PROTOCOLS[name](**options)
    except TypeError:
        known = ", ".join(PROTOCOLS[name].__dataclass_fields__)
        raise OptionError(f"protocol {name} has the options {known}; given: {', '.join(options)}") from None


def _test_part(samples: Samples) -> str:
    """The part that figures are measured on: test, or valid where test is absent or without labels."""
    for part in ("test", "valid"):
        if ((samples.split == part) & (samples.label >= 0)).any():
            return part
    there = ", ".join(samples.splits) or "no parts"
    raise DataError(f"{samples.files} has no labelled test or valid part; it has {there}")


def _learnable(samples: Samples) -> np.ndarray:
    """Mask (N,) of the rows that can train: one label, or votes."""
    labelled = samples.label >= 0
    if samples.votes is None:
        return labelled
    found: np.ndarray = labelled | (np.nan_to_num(samples.votes).sum(axis=1) > 0)
    return found


def _column(samples: Samples, key: Key) -> np.ndarray:
    """Subjects or groups; raises `DataError` where the set names none."""
    column: np.ndarray | None = getattr(samples, key)
    if column is None or not (column != "").any():
        raise DataError(f"{samples.files} names no {key}s; protocol official or another set is needed")
    return column


def _units(samples: Samples, near: np.ndarray | None, key: Key) -> np.ndarray:
    return joined(len(samples), [_column(samples, key), *([] if near is None else [near])])


def _folds(
    samples: Samples, near: np.ndarray | None, key: Key, k: int, valid_share: float, seed: int
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
    part[unit[tested]] = deal(unit[tested], samples.label[tested], [1] * k, seed=seed)
    return [
        _one_of(f"fold {i + 1} of {k}", samples, near, part[unit] == i, (key,), valid_share, seed) for i in range(k)
    ]


def _one_of(
    name: str,
    samples: Samples,
    near: np.ndarray | None,
    out: np.ndarray,
    keys: Sequence[Key],
    valid_share: float,
    seed: int,
) -> Fold:
    """The fold that tests on the rows of a mask (N,) and learns from the others."""
    train = np.flatnonzero(~out & _learnable(samples))
    train, valid = _held_out(samples, train, near, keys, valid_share, seed)
    return _fold(name, samples, near, train, valid, np.flatnonzero(out & (samples.label >= 0)))


def _held_out(
    samples: Samples, train: np.ndarray, near: np.ndarray | None, keys: Sequence[Key], share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into train and valid by whole units; valid keeps rows with a single label only."""
    if not 0 <= share < 1:
        raise OptionError(f"valid_share is {share}; it must be at least 0 and below 1")
    if share == 0:
        return train, train[:0]
    columns = [column[train] for key in keys if (column := getattr(samples, key)) is not None]
    unit = joined(len(train), [*columns, *([] if near is None else [near[train]])])
    if not unit.any():
        raise DataError(f"{samples.files}: all that is left to train on belongs together; set valid_share=0")
    chosen = deal(unit, samples.label[train], [1 - share, share], seed=seed) == 1
    valid = train[chosen]
    return train[~chosen], valid[samples.label[valid] >= 0]


def _fold(
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
    found = []
    both = sorted(set(left[_names(left)].tolist()) & set(right[_names(right)].tolist()))
    if both:
        rows = (int(_shared(left, right).sum()), int(_shared(right, left).sum()))
        examples = tuple(str(value) for value in both[:3])
        found.append(Leak(kind=kind, parts=parts, count=len(both), rows=rows, examples=examples))
    if kind != "near-duplicate" and len(left) and len(right):
        rows = (int((~_names(left)).sum()), int((~_names(right)).sum()))
        if any(rows):
            found.append(Leak(kind=f"unnamed {kind}", parts=parts, count=sum(rows), rows=rows, examples=()))
    return found


def _names(column: np.ndarray) -> np.ndarray:
    """Mask of the values that mean something."""
    found: np.ndarray = column != ("" if column.dtype.kind in "OU" else -1)
    return found


def _shared(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mask of the values that occur among the others."""
    wanted = set(others[_names(others)].tolist())
    return np.array([value in wanted for value in values.tolist()], dtype=bool)


def _restricted(samples: Samples, near: np.ndarray | None, labels: LabelSet) -> tuple[Samples, np.ndarray | None]:
    """A table in the shared classes, with the near-duplicates of the rows that stay."""
    row = np.arange(len(samples))
    restricted = replace(samples, extra={**samples.extra, "row": row}).restrict(labels)
    kept = restricted.extra["row"]
    return replace(restricted, extra={k: v for k, v in restricted.extra.items() if k != "row"}), (
        None if near is None else near[kept]
    )
