"""Shares by group, and how far two groups or two tables differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.analysis.faces import FaceTable
from mien.analysis.shares import LEAST_UNITS, student_factor
from mien.analysis.units import ExpressionSummary, expression_shares, image_summary, time_blocks, video_summary
from mien.errors import OptionError
from mien.geometry import SIDES, iou
from mien.metrics.resampling import bootstrap_each

MOST_GROUPS = 24
_SAME_FACE_IOU = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareDifference:
    """The share of one expression in the first group minus that in the second; 0..1."""

    expression: str
    first: float | None
    second: float | None
    difference: float | None
    low: float | None = None  # 95 % interval; None: fewer than eight independent units in one of them
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two groups or tables. `paired`: both are of the same files or clusters, which are resampled together."""

    first: str
    second: str
    expressions: tuple[ShareDifference, ...]
    paired: bool = False
    kind: str = ""  # "images" or "videos" of two tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Faces that two tables have in common: the same image or frame, boxes that overlap by half."""

    faces: int
    same: int  # with the same expression
    counts: tuple[tuple[int, ...], ...]  # row per class of the first table, column per class of the second


def group_names(faces: FaceTable, by: str) -> np.ndarray:
    """(N,) the group of each row: its folder, or the text of a column. Raises `OptionError`."""
    if by == "folder":
        return faces.folder
    names = np.array([value or "none" for value in _texts(faces, by)], dtype=object)
    if len(set(names[faces.seen].tolist())) > MOST_GROUPS:
        raise OptionError(f"column {by!r} has {len(set(names.tolist()))} values; group by at most {MOST_GROUPS}")
    return names


def clustered(faces: FaceTable, by: str) -> FaceTable:
    """The table with rows of one value of a column as a cluster; rows without one by their source."""
    values = [
        f"\0{source}" if value is None else value
        for value, source in zip(_texts(faces, by), faces.source.tolist(), strict=True)
    ]
    return replace(faces, cluster=np.array(values, dtype=object))


def _texts(faces: FaceTable, column: str) -> list[str | None]:
    if column not in faces.columns.column_names:
        raise OptionError(f"the table has no column {column!r}; give folder, source or a column that you add")
    return [None if value is None else str(value) for value in faces.columns[column].to_pylist()]


def overall(faces: FaceTable, seconds: np.ndarray, *, name: str, kind: str = "all") -> ExpressionSummary:
    """All rows of images, or all of videos, as one unit; intervals over files where there are enough."""
    weights, units, over = _units(faces, seconds)
    counted = faces.counted
    unit = video_summary(faces, seconds) if faces.timed.any() else image_summary(faces, name, kind=kind)
    return replace(
        unit,
        kind=kind,
        source=name,
        files=len(set(faces.source.tolist())),
        first_s=None,
        last_s=None,
        changes_per_minute=None,
        expressions=expression_shares(faces, weights, units),
        resampled=over if len(np.unique(units[counted].astype(str))) >= LEAST_UNITS else "",
    )


def difference(first: tuple[str, FaceTable, np.ndarray], second: tuple[str, FaceTable, np.ndarray]) -> Difference:
    """Of two groups: each its name, rows and the seconds of those (not used for images)."""
    labels = first[1].labels
    sums: dict[str, np.ndarray] = {}
    for side, (_, faces, seconds) in enumerate((first, second)):
        weights, units, _ = _units(faces, seconds)
        for row in np.flatnonzero(faces.counted):
            label = str(faces.labels[faces.expression[row]])
            if label in labels:
                sums.setdefault(str(units[row]), np.zeros((2, len(labels))))[side, labels.index(label)] += weights[
                    row
                ]
    stack = np.stack(list(sums.values())) if sums else np.zeros((0, 2, len(labels)))
    shown = stack.sum(axis=2) > 0  # (U, 2)
    common = int(shown.all(axis=1).sum())
    return Difference(
        first=first[0],
        second=second[0],
        expressions=_differences(stack, shown, tuple(map(str, labels))),
        paired=bool(len(stack)) and common >= 0.9 * len(stack),
    )


def _differences(stack: np.ndarray, shown: np.ndarray, labels: tuple[str, ...]) -> tuple[ShareDifference, ...]:
    totals = stack.sum(axis=(0, 2))

    def statistics(sums: np.ndarray) -> dict[str, np.ndarray]:
        of_groups = sums / sums.sum(axis=2, keepdims=True)
        return {label: of_groups[:, 0, i] - of_groups[:, 1, i] for i, label in enumerate(labels)}

    if not (totals > 0).all():
        return tuple(ShareDifference(expression=one, first=None, second=None, difference=None) for one in labels)
    fewest = int(shown.sum(axis=0).min())
    drawn = bootstrap_each(statistics, stack, clusters=np.arange(len(stack)).astype(str), resamples=1000)
    wider, rows = student_factor(max(fewest, 2)), []
    for i, label in enumerate(labels):
        a, b = (float(stack[:, side, i].sum() / totals[side]) for side in (0, 1))
        one = drawn[label]
        row = ShareDifference(expression=label, first=a, second=b, difference=a - b)
        if fewest >= LEAST_UNITS and one.low < one.high:
            low, high = one.value - wider * (one.value - one.low), one.value + wider * (one.high - one.value)
            row = replace(row, low=max(-1.0, low), high=min(1.0, high))
        rows.append(row)
    return tuple(rows)


def _units(faces: FaceTable, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """(N,) weights, (N,) what is resampled together, and its name."""
    if faces.cluster is not None:
        return np.nan_to_num(seconds) if faces.timed.any() else np.ones(len(faces)), faces.cluster, "clusters"
    if not faces.timed.any():
        return np.ones(len(faces)), faces.source, "files"
    if len(set(faces.source[faces.counted].tolist())) >= LEAST_UNITS:
        return np.nan_to_num(seconds), faces.source, "files"
    units = np.full(len(faces), "", dtype=object)
    longest = 0.0
    for source in set(faces.source.tolist()):
        rows = np.flatnonzero(faces.source == source)
        blocks, length = time_blocks(faces.take(rows))
        longest = max(longest, length)
        units[rows] = [f"{source}\0{block}" for block in blocks.tolist()]
    return np.nan_to_num(seconds), units, f"blocks of up to {longest:.2g} s"


def agreement(first: FaceTable, second: FaceTable) -> Agreement | None:
    """Of two tables on the same images or frames; None where they have no face in common."""
    at_frame: dict[tuple[str, int], list[int]] = {}
    for row in np.flatnonzero(second.seen).tolist():
        at_frame.setdefault((second.source[row], int(second.frame[row])), []).append(row)
    boxes = _boxes(first), _boxes(second)
    counts = np.zeros((len(first.labels), len(second.labels)), dtype=int)
    same = 0
    for row in np.flatnonzero(first.seen).tolist():
        others = at_frame.get((first.source[row], int(first.frame[row])), [])
        overlaps = iou(boxes[0][row], boxes[1][others]) if others else np.zeros(1)
        if overlaps.max() < _SAME_FACE_IOU:
            continue
        near = others.pop(int(overlaps.argmax()))
        one, two = int(first.expression[row]), int(second.expression[near])
        counts[one, two] += 1
        same += str(first.labels[one]) == str(second.labels[two])
    if not counts.any():
        return None
    return Agreement(faces=int(counts.sum()), same=same, counts=tuple(map(tuple, counts.tolist())))


def _boxes(faces: FaceTable) -> np.ndarray:
    """(N, 4); zeros where there is no face."""
    sides = [faces.columns[side].to_numpy(zero_copy_only=False) for side in SIDES]
    return np.nan_to_num(np.stack([np.asarray(side, dtype=np.float64) for side in sides], axis=1))
