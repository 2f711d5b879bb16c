"""A data set as a table: one row per image, nothing decoded. `Collector` checks the rows as a set is read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.errors import DataError
from mien.labels import LabelSet
from mien.media.images import read_image
from mien.wording import counted

SPLIT_NAMES = ("train", "valid", "test")
TEXT = ("path", "split", "subject", "group")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a distribution: `where` is file:line or a file, `kind` what `mien data check` counts."""

    kind: str  # "missing image", "unknown label", "wrong column", "misnamed", "duplicate", "missing file", ...
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


def decode(files: Distribution, path: str) -> np.ndarray:
    """The image of a row, for sets whose images are files: RGB uint8 (H, W, 3)."""
    return read_image(files.read(path), name=path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Rows of one data set, column by column; each column has N entries.

    A column that the set does not have is None; a value that a row does not have is -1, NaN or "".
    """

    labels: LabelSet
    files: Distribution
    path: np.ndarray  # str, as `decode` takes it
    label: np.ndarray  # int, index into `labels`; -1: no single label (tied votes, no annotation)
    split: np.ndarray  # str: "train", "valid", "test", or "" where the set has no official split
    subject: np.ndarray | None = None  # str: who is seen
    group: np.ndarray | None = None  # str: images that belong together (a video, one shot from several cameras)
    votes: np.ndarray | None = None  # (N, classes) float, sums to 1: how annotators voted
    yaw_deg: np.ndarray | None = None  # of the head as the set states it; signs in docs/concepts/conventions.md
    pitch_deg: np.ndarray | None = None
    box: np.ndarray | None = None  # (N, 4): left, top, right, bottom in pixels of the image
    points: np.ndarray | None = None  # (N, 5, 2) or (N, 68, 2): landmarks in pixels of the image
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)  # what only this set has: "intensity", ...
    decode: Callable[[Distribution, str], np.ndarray] = decode

    def __len__(self) -> int:
        return len(self.path)

    def __repr__(self) -> str:
        return f"<Samples: {len(self):,} rows of {self.files}, {len(self.labels)} classes>"

    def image(self, row: int) -> np.ndarray:
        """The image of one row, RGB uint8 (H, W, 3); raises `InputError` that names it."""
        return self.decode(self.files, str(self.path[row]))

    def take(self, rows: np.ndarray) -> Samples:
        """Some of the rows, by index or by mask."""
        columns = {name: value[rows] for name, value in self.columns().items()}
        return replace(self, extra={name: value[rows] for name, value in self.extra.items()}, **columns)

    def of(self, split: str) -> Samples:
        """The rows of one split; raises `DataError` where there are none."""
        if not (rows := self.split == split).any():
            raise DataError(f"{self.files} has no {split!r} split; it has {', '.join(self.splits) or 'none'}")
        return self.take(rows)

    @property
    def all_boxed(self) -> bool:
        """Whether the set states the face's box in every image."""
        return self.box is not None and bool(np.isfinite(self.box).all())

    @property
    def splits(self) -> list[str]:
        """The splits that occur, in the usual order."""
        there = set(self.split.tolist()) - {""}
        return [name for name in SPLIT_NAMES if name in there] + sorted(there - set(SPLIT_NAMES))

    def columns(self) -> dict[str, np.ndarray]:
        """The columns that the set has, `extra` not among them."""
        names = (*TEXT, "label", "votes", "yaw_deg", "pitch_deg", "box", "points")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def counts(self) -> dict[str, dict[str, int]]:
        """split -> class -> images; rows without a single label count as "no label"."""
        names = [*self.labels, "no label"]
        pairs = Counter(zip(self.split.tolist(), self.label.tolist(), strict=True))
        return {
            split: {name: pairs[split, i] for i, name in zip([*range(len(self.labels)), -1], names, strict=True)}
            for split in ([*self.splits, ""] if "" in self.split else self.splits)
        }

    def restrict(self, to: LabelSet) -> Samples:
        """In another order of classes, by name; rows of classes that `to` lacks are left out."""
        known = np.array([label in to for label in self.labels] + [True])[self.label]
        label = self.labels.indices_in(to)[self.label]
        votes = None if self.votes is None else self.labels.redistribute(self.votes, to=to)
        return replace(self, labels=to, label=label, votes=votes).take(known)

    def fingerprint(self) -> str:
        """SHA-256 over classes and all columns: the same rows give the same on every machine."""
        digest = hashlib.sha256(" ".join(self.labels).encode())
        for name, column in sorted({**self.columns(), **self.extra}.items()):
            digest.update(f"\n{name}\n".encode())
            if column.dtype.kind in "OUS":
                digest.update("\0".join(map(str, column.tolist())).encode("utf-8", "surrogateescape"))
            else:
                digest.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return digest.hexdigest()


class Collector:
    """Gathers the rows of a set while it is read, and everything that is wrong with them.

    A row with a problem is left out of the samples and kept in `problems`. `notes` says what is no fault of the
    distribution: classes that a variant lacks, a split that was not unpacked.
    """

    def __init__(self, labels: LabelSet, files: Distribution) -> None:
        self.labels, self.files = labels, files
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._seen: dict[str, str] = {}
        self._there: set[str] = set()  # splits of which an image was found
        self._missing: dict[str, list[Problem]] = {}  # split -> its missing images
        self._left_out: Counter[str] = Counter()

    def problem(self, kind: str, where: str, what: str, remedy: str) -> None:
        """Note something that is wrong."""
        self.problems.append(Problem(kind, _printable(where), _printable(what), remedy))

    def note(self, text: str) -> None:
        """Say something that users should know and that is no fault."""
        self.notes.append(text)

    def leave_out(self, reason: str) -> None:
        """Count a row that does not belong to this variant; `done` notes how many there were for each reason."""
        self._left_out[reason] += 1

    def missing(self, path: str, *, where: str, split: str = "") -> None:
        """Note an image (or a folder of them) that is listed and not there."""
        self.problem("missing image", where, f"{path} is not there", "unpack the images again")
        self._missing.setdefault(split, []).append(self.problems[-1])

    def add(self, path: str, label: str | None, *, where: str, split: str = "", key: str = "", **more: Any) -> bool:
        """One image; False where it was refused, a problem: absent, listed twice, of a class that the set lacks,
        with a box that holds nothing, or with a name that no table can store.

        `where`: file:line that lists it. `key`: what must not occur twice, where that is not the path (several
        faces of one image). `more`: further columns of `Samples`, or of its `extra`.
        """
        key = key or path
        if path.partition("#")[0] not in self.files:
            self.missing(path, where=where, split=split)
            return False
        self._there.add(split)
        if key in self._seen:
            self.problem("duplicate", where, f"{key} stands in {self._seen[key]} already", "remove one of the two")
        elif label is not None and label not in self.labels:
            self.label_problem(where, str(label))
        elif path != _printable(path):
            self.problem("misnamed", where, f"the name {path} is not UTF-8", "rename it")
        elif (box := more.get("box")) is not None and not _holds_something(box):
            numbers = " ".join(f"{side:g}" for side in box)
            self.problem("wrong column", where, f"the box {numbers} is empty", "right and bottom are the larger")
        else:
            index = -1 if label is None else self.labels.index(label)
            self._seen[key] = where
            self._rows.append({"path": path, "label": index, "split": split, **more})
            return True
        return False

    def label_problem(self, where: str, word: str, known: Sequence[str] = ()) -> None:
        """Note a label that the set does not have."""
        known = known or list(self.labels)
        self.problem("unknown label", where, f"label {word!r} is unknown", f"it must be one of {', '.join(known)}")

    def done(self, *, decode: Callable[[Distribution, str], np.ndarray] = decode, release: str = "") -> Reading:
        """What was read. Columns that no row has are None.

        Many people have only some of the splits: one of which no image is there is a note, and not a problem for
        each image. Where no image at all is there, that is one problem.
        """
        if not (self._rows or self.problems or self._left_out):
            self.problem("missing file", str(self.files), "no row was found", "the lists are empty: get them again")
        self._sum_up_missing()
        for reason, count in self._left_out.items():
            self.note(f"{count} left out: {reason}")
        names = {name for row in self._rows for name in row}
        columns = {name: _column(name, [row.get(name) for row in self._rows], self.labels) for name in names}
        for name, kind in (("path", object), ("split", object), ("label", int)):
            columns.setdefault(name, np.array([], dtype=kind))
        own = {name: columns.pop(name) for name in list(columns) if name in Samples.__dataclass_fields__}
        samples = Samples(labels=self.labels, files=self.files, extra=columns, decode=decode, **own)
        return Reading(
            samples=samples,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            release=release,
        )

    def _sum_up_missing(self) -> None:
        absent = {split: missing for split, missing in self._missing.items() if split not in self._there}
        gone = [problem for missing in absent.values() for problem in missing]
        if not self._there and len(gone) < 2:
            return
        ids = set(map(id, gone))
        self.problems = [problem for problem in self.problems if id(problem) not in ids]
        if self._there:
            for split, missing in absent.items():
                self.note(f"no image of the {split} split is there ({len(missing)} listed); unpack it to have it")
        else:
            what = f"none of the {len(gone)} images that are listed is there"
            self.problem("missing image", gone[0].where, what, "unpack the images beside the lists")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A distribution as it was found: the good rows, and what is wrong with the others."""

    samples: Samples
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()  # what users should know and what is no fault
    release: str = ""  # which of the published distributions this is, where their counts differ

    def checked(self) -> Samples:
        """The samples; raises `DataError` with the first problems where there are any."""
        if not self.problems:
            return self.samples
        shown = "\n  ".join(str(problem) for problem in self.problems[:10])
        more = len(self.problems) - 10
        hint = (
            "--skip-broken (skip_broken=True) leaves these rows out." if len(self.samples) else "Is it this folder?"
        )
        raise DataError(
            f"{self.samples.files}: {counted(len(self.problems), 'problem')}\n  {shown}"
            + (f"\n  and {more} more" if more > 0 else "")
            + f"\n`mien data check --all` lists all. {hint}"
        )


def _printable(text: str) -> str:
    """Text with what is no UTF-8 (in names of old disks) written out as \\udce9."""
    return text.encode("utf-8", "backslashreplace").decode()


def _holds_something(box: Sequence[float]) -> bool:
    left, top, right, bottom = box
    return bool(np.isfinite(box).all()) and left < right and top < bottom


def _column(name: str, values: list[Any], labels: LabelSet) -> np.ndarray:
    """One column, with what rows lack filled in."""
    if name in TEXT or any(isinstance(value, str) for value in values):
        return np.array(["" if value is None else str(value) for value in values], dtype=object)
    shape = next(np.shape(value) for value in values if value is not None)
    if shape or any(value is None or isinstance(value, float) for value in values):
        blank = np.full(shape, np.nan)
        kind = np.float32 if name == "points" else np.float64  # 68 points for 400,000 images are 200 MB
        return np.array([blank if value is None else value for value in values], dtype=kind)
    return np.array(values, dtype=np.int64)
