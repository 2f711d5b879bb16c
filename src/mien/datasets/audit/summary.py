"""What a table of images holds, in numbers: classes, votes, subjects, poses, sizes."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mien.datasets import dataset_info
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.errors import InputError

SIZES_FROM = 1000  # images that are opened to know their size
POSE_DEG = tuple(range(-90, 91, 15))  # middles of the bins in which poses are counted


@dataclass(frozen=True, kw_only=True)
class Votes:
    """How far annotators agree, over the rows that have votes."""

    rows: int
    mean_entropy_bits: float
    unanimous: float  # share of rows on which all agree
    majority: float  # share of rows whose first class has more than half of the votes
    entropy_bits: dict[str, float]  # class -> mean over its rows
    agreement: tuple[int, ...]  # rows by the first class's share of the votes, in tenths


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Who is seen."""

    count: int
    per_split: dict[str, int]
    fewest: int  # images of one subject
    median: float
    most: int
    unnamed: int  # images that name no subject


@dataclass(frozen=True, kw_only=True)
class Poses:
    """Where heads turn, over the rows that state a pose."""

    rows: int
    yaw: tuple[int, ...]  # rows around each of `POSE_DEG`; the ends hold what lies beyond
    pitch: tuple[int, ...]  # the same for pitch; all 0 where the set states none


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Images in pixels, over a part of the set."""

    opened: int
    unreadable: int
    least: tuple[int, int]  # width and height of the image with the smallest area
    median: tuple[int, int]
    most: tuple[int, int]
    one_size: bool


@dataclass(frozen=True, kw_only=True)
class Summary:
    """None where the set has no such thing."""

    name: str
    variant: str
    images: int
    counts: dict[str, dict[str, int]]  # split -> class -> images
    groups: int | None
    votes: Votes | None
    subjects: Subjects | None
    poses: Poses | None
    sizes: Sizes | None

    def __repr__(self) -> str:
        return f"<Summary of {self.name}: {self.images:,} images, {len(self.counts)} splits>"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def summarize(dataset: str | DatasetInfo, folder: str | os.PathLike[str], *, variant: str = "") -> Summary:
    """All tables of a data set in a folder (or .zip), broken rows left out.

    `SIZES_FROM` images, evenly spaced, are opened for their sizes. Raises `DataError` where the folder holds
    no image of the set.
    """
    info = dataset_info(dataset)
    return summarize_samples(info.some_samples(folder, variant=variant), info.name, info.variant(variant))


def summarize_samples(samples: Samples, name: str, variant: str = "") -> Summary:
    """`summarize` for rows that were read already."""
    return Summary(
        name=name,
        variant=variant,
        images=len(samples),
        counts=samples.counts(),
        groups=None if samples.group is None else len(set(samples.group.tolist()) - {""}),
        votes=_votes(samples),
        subjects=_subjects(samples),
        poses=_poses(samples),
        sizes=_sizes(samples),
    )


def entropy_bits(votes: np.ndarray) -> np.ndarray:
    """Entropy (N,) of vote distributions (N, classes): 0 where all agree, log2(classes) where nobody does."""
    safe = np.where(votes > 0, votes, 1.0)
    return -(votes * np.log2(safe)).sum(axis=1) + 0.0  # no negative zero


def _votes(samples: Samples) -> Votes | None:
    if samples.votes is None:
        return None
    known = np.isfinite(samples.votes).all(axis=1) & (samples.votes.sum(axis=1) > 0)
    if not known.any():
        return None
    votes, label = samples.votes[known], samples.label[known]
    entropy, first = entropy_bits(votes), votes.max(axis=1)
    tenths = np.clip(np.ceil(np.round(first * 10, 6)).astype(int) - 1, 0, 9)
    return Votes(
        rows=len(votes),
        mean_entropy_bits=float(entropy.mean()),
        unanimous=float((first > 1 - 1e-9).mean()),
        majority=float((first > 0.5 + 1e-9).mean()),
        entropy_bits={
            str(labelled): float(entropy[label == i].mean())
            for i, labelled in enumerate(samples.labels)
            if (label == i).any()
        },
        agreement=tuple(np.bincount(tenths, minlength=10).tolist()),
    )


def _subjects(samples: Samples) -> Subjects | None:
    if samples.subject is None:
        return None
    named = samples.subject != ""
    if not named.any():
        return None
    _, each = np.unique(samples.subject[named].astype(str), return_counts=True)
    return Subjects(
        count=len(each),
        per_split={
            split: len(set(samples.subject[named & (samples.split == split)].tolist())) for split in samples.splits
        },
        fewest=int(each.min()),
        median=float(np.median(each)),
        most=int(each.max()),
        unnamed=int((~named).sum()),
    )


def _poses(samples: Samples) -> Poses | None:
    if samples.yaw_deg is None or not np.isfinite(samples.yaw_deg).any():
        return None
    return Poses(
        rows=int(np.isfinite(samples.yaw_deg).sum()),
        yaw=_histogram(samples.yaw_deg),
        pitch=_histogram(samples.pitch_deg),
    )


def _histogram(angle: np.ndarray | None) -> tuple[int, ...]:
    known = np.empty(0) if angle is None else angle[np.isfinite(angle)]
    bins = np.clip(np.floor((known - POSE_DEG[0]) / 15 + 0.5), 0, len(POSE_DEG) - 1).astype(int)
    return tuple(np.bincount(bins, minlength=len(POSE_DEG)).tolist())


def _sizes(samples: Samples) -> Sizes | None:
    if not len(samples):
        return None
    rows = np.unique(np.linspace(0, len(samples) - 1, min(SIZES_FROM, len(samples))).round().astype(int))
    sizes = []
    for row in rows.tolist():
        try:
            height, width = samples.image(row).shape[:2]
        except InputError:
            continue
        sizes.append((width, height))
    if not sizes:
        return None
    sizes.sort(key=lambda size: size[0] * size[1])
    return Sizes(
        opened=len(rows),
        unreadable=len(rows) - len(sizes),
        least=sizes[0],
        median=sizes[len(sizes) // 2],
        most=sizes[-1],
        one_size=len(set(sizes)) == 1,
    )
