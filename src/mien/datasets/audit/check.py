"""Is this folder the set that its authors publish? What is there, what is missing, what repeats itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from mien.arguments import checked
from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import Duplicates, near_duplicates
from mien.datasets.audit.scan import scan
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Problem, Samples
from mien.media.work import Progress, no_progress
from mien.wording import counted

ALL = "all"  # the class under which a `DatasetInfo` states only the sum of a split


@dataclass(frozen=True, kw_only=True)
class Count:
    """Images of one class in one split."""

    split: str
    label: str  # a class, "no label", or "all"
    images: int
    published: int | None  # None: not known

    @property
    def agrees(self) -> bool:
        """As published, or nothing to compare with."""
        return self.published is None or self.images == self.published


@dataclass(frozen=True, kw_only=True)
class SplitOverlap:
    """Subjects or near-duplicates that two splits share."""

    kind: Literal["near-duplicate", "subject"]
    splits: tuple[str, str]
    count: int  # pairs of images, or subjects
    rows: tuple[int, int]  # images concerned in each of the two splits
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DatasetCheck:
    """A folder compared with the published data set."""

    name: str
    variant: str
    folder: str
    images: int
    decoded: bool  # all images were decoded and compared
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]  # what is no fault and good to know
    counts: tuple[Count, ...]
    overlaps: tuple[SplitOverlap, ...] = ()
    repeated: int = 0  # images that show the photo of another one of the same split
    contradictions: int = 0  # pairs of near-duplicates with two different labels
    obtain: str = ""
    layout: str = ""

    @property
    def totals(self) -> tuple[Count, ...]:
        """One sum per split."""
        return tuple(count for count in self.counts if count.label == ALL)

    @property
    def absent(self) -> tuple[str, ...]:
        """Published splits of which nothing is there."""
        return tuple(count.split for count in self.totals if count.published and not count.images)

    @property
    def differing(self) -> tuple[str, ...]:
        """Splits that are there with other counts than the published ones."""
        wrong = {count.split for count in self.counts if not count.agrees} - set(self.absent)
        return tuple(count.split for count in self.totals if count.split in wrong)

    @property
    def usable(self) -> bool:
        """What is there is as published: no problem, every count met. A whole split may be absent."""
        return self.images > 0 and not self.problems and not self.differing

    @property
    def verdict(self) -> str:
        """One sentence."""
        what = f"{self.name}{f' ({self.variant})' if self.variant else ''}"
        if not self.images:
            return f"{what} is not usable: no image of it was found in {self.folder}."
        faults = [counted(len(self.problems), "problem")] if self.problems else []
        if self.differing:
            faults.append(f"other counts than published{_of(self.differing)}")
        known = any(count.published is not None for count in self.counts)
        bad = "is not as published" if known else "has faults"
        start = f"{what} {'is usable' + ' as published' * known if self.usable else bad}"
        parts = [f"{start}: {self.images:,} images", *faults]
        if self.absent:
            parts.append(f"nothing{_of(self.absent)}")
        if not self.decoded:
            parts.append("none of them opened")
        return ", ".join(parts) + "."

    def __repr__(self) -> str:
        return f"<DatasetCheck: {self.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "usable": self.usable, "verdict": self.verdict}


@checked
def check(
    dataset: str | DatasetInfo,
    folder: str | os.PathLike[str],
    *,
    variant: str = "",
    duplicates: bool = True,
    workers: int = 1,
    progress: Progress = no_progress,
) -> DatasetCheck:
    """Read a data set from a folder (or .zip) and compare it with what its authors publish.

    `duplicates=False` opens no image: unreadable and repeated ones are not listed. `workers`: processes that decode
    images, 0 for one per core. Raises `InputError` where `folder` is no place to read from.
    """
    info = dataset_info(dataset)
    variant = info.variant(variant)
    reading = info.reading(folder, variant=variant)
    samples, problems = reading.samples, reading.problems
    overlaps = _subject_overlaps(samples)
    repeated = contradictions = 0
    if duplicates:
        scanned = scan(samples, workers=workers, progress=progress)
        copies = near_duplicates(scanned, apart=samples.group)
        problems += scanned.unreadable
        overlaps += _duplicate_overlaps(samples, copies)
        inside = copies.pairs[~copies.across(samples.split)]
        repeated = len(np.unique(inside[:, 1]))
        label = samples.label[copies.pairs]  # (P, 2)
        contradictions = int(((label >= 0).all(axis=1) & (label[:, 0] != label[:, 1])).sum())
    return DatasetCheck(
        name=info.name,
        variant=variant,
        folder=str(folder),
        images=len(samples),
        decoded=duplicates,
        problems=problems,
        notes=reading.notes,
        counts=compare(samples, info.published(variant, reading.release)),
        overlaps=overlaps,
        repeated=repeated,
        contradictions=contradictions,
        obtain=info.obtain,
        layout=info.layout,
    )


def compare(samples: Samples, published: Mapping[str, Mapping[str, int]]) -> tuple[Count, ...]:
    """Counts per split and class against those of a `DatasetInfo`; each split ends with its sum.

    Every split has the same classes, in the order of the set.
    """
    actual = samples.counts()
    labels = [*map(str, samples.labels), "no label"]
    if not any(split.get("no label") for split in [*actual.values(), *published.values()]):
        labels.remove("no label")
    counts = []
    for split in dict.fromkeys([*published, *actual]):
        mine, theirs = actual.get(split, {}), published.get(split, {})
        unstated = 0 if theirs and ALL not in theirs else None
        for label in labels:
            expected = theirs.get(label, None if label == "no label" else unstated)
            counts.append(Count(split=split, label=label, images=mine.get(label, 0), published=expected))
        total = theirs.get(ALL, sum(theirs.values())) if theirs else None
        if ALL not in theirs and "no label" not in theirs and mine.get("no label"):
            total = None  # published are the images with a label only
        counts.append(Count(split=split, label=ALL, images=sum(mine.values()), published=total))
    return tuple(counts)


def _subject_overlaps(samples: Samples) -> tuple[SplitOverlap, ...]:
    if samples.subject is None:
        return ()
    known = samples.subject != ""
    overlaps = []
    for left, right in combinations(samples.splits, 2):
        on = [known & (samples.split == split) for split in (left, right)]
        both = np.intersect1d(*(samples.subject[mask] for mask in on))
        if len(both):
            rows = [int(np.isin(samples.subject[mask], both).sum()) for mask in on]
            overlaps.append(
                SplitOverlap(
                    kind="subject",
                    splits=(left, right),
                    count=len(both),
                    rows=(rows[0], rows[1]),
                    examples=tuple(map(str, both[:3])),
                )
            )
    return tuple(overlaps)


def _duplicate_overlaps(samples: Samples, copies: Duplicates) -> tuple[SplitOverlap, ...]:
    overlaps = []
    splits = samples.split[copies.pairs]  # (P, 2)
    for left, right in combinations(samples.splits, 2):
        straight = (splits[:, 0] == left) & (splits[:, 1] == right)
        swapped = (splits[:, 0] == right) & (splits[:, 1] == left)
        pairs = np.concatenate([copies.pairs[straight], copies.pairs[swapped][:, ::-1]])
        if len(pairs):
            examples = [f"{samples.path[a]} = {samples.path[b]}" for a, b in pairs[:3]]
            overlaps.append(
                SplitOverlap(
                    kind="near-duplicate",
                    splits=(left, right),
                    count=len(pairs),
                    rows=(len(np.unique(pairs[:, 0])), len(np.unique(pairs[:, 1]))),
                    examples=tuple(examples),
                )
            )
    return tuple(overlaps)


def _of(splits: tuple[str, ...]) -> str:
    named = ", ".join(split for split in splits if split)
    return f" of {named}" if named else ""
