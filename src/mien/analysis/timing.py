"""Seconds from presentation times: what each frame stands for, stretches and changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mien.analysis.faces import FaceTable
from mien.media.live import is_live

GAP_S = 1.0  # frames further apart are a gap, unless the table is sampled so sparsely
_GAP_FRAMES = 5.0  # ... which is so many times the usual distance


def longest_gap(times: np.ndarray) -> float:
    """Seconds between rising times (M,) from which on nothing is known about what lies between."""
    return max(GAP_S, _GAP_FRAMES * float(np.median(np.diff(times)))) if len(times) > 1 else GAP_S


def frame_seconds(times: np.ndarray) -> np.ndarray:
    """(M,) seconds for which each frame was shown: until the next, at rising presentation times (M,).

    The last frame, and one before a gap, stand for the usual distance of two frames; a single frame for none.
    """
    if len(times) < 2:
        return np.zeros(len(times))
    steps = np.diff(times)
    usual = float(np.median(steps))
    return np.append(np.where(steps > longest_gap(times), usual, steps), usual)


def row_seconds(faces: FaceTable) -> np.ndarray:
    """(N,) seconds that each row of a video stands for; NaN for rows of images and errors.

    Frames without a face count as frames: the time between two rows of a person who left is not theirs. Frames of
    one time, as rounding makes them, share its seconds.
    """
    seconds = np.full(len(faces), np.nan)
    for rows in by_source(faces, ~np.isnan(faces.time_s)):
        times, at = np.unique(faces.time_s[rows], return_inverse=True)
        frames = np.unique(np.stack([at, faces.frame[rows]]), axis=1)[0]  # the time of each frame
        grid = frame_times(faces, rows)
        shown = frame_seconds(grid)[np.searchsorted(grid, times)]
        seconds[rows] = (shown / np.bincount(frames))[at]
    return seconds


def frame_times(faces: FaceTable, rows: np.ndarray | None = None) -> np.ndarray:
    """The rising times of the frames of one video, of all rows or of these.

    Where frames were taken out of the table, as by a filter that keeps one track, the first of them is among them:
    the frame before it is not shown until the next that was kept. Their numbers tell: a step in number and in time
    that is more than twice the usual one. A camera drops frames itself.
    """
    rows = np.arange(len(faces)) if rows is None else rows
    times, first = np.unique(faces.time_s[rows], return_index=True)
    if len(times) < 3 or is_live(str(faces.source[rows[0]])):
        return times
    steps, numbers = np.diff(times), np.diff(faces.frame[rows][first])
    usual = np.median(steps)
    taken_out = (steps > 2 * usual) & (numbers > 2 * np.median(numbers))
    return np.union1d(times, times[:-1][taken_out] + usual)


def by_source(faces: FaceTable, keep: np.ndarray) -> Iterator[np.ndarray]:
    """The indices of the kept rows of each source, sources in the order of the table."""
    rows = np.flatnonzero(keep)
    names, first, group = np.unique(faces.source[rows].astype(str), return_index=True, return_inverse=True)
    for one in np.argsort(first):
        yield rows[group == one]


def changes(expressions: np.ndarray, times: np.ndarray, *, gap_s: float) -> int:
    """How often the expression changes between neighbours (M,) in time; none is counted across a gap."""
    if len(times) < 2:
        return 0
    order = np.argsort(times, kind="stable")
    differ = np.diff(expressions[order]) != 0
    return int((differ & (np.diff(times[order]) <= gap_s)).sum())


def episodes(expressions: np.ndarray, times: np.ndarray, *, gap_s: float) -> list[tuple[int, int]]:
    """(first, last) indices of each run of one expression (M,) at rising times (M,); none goes across a gap."""
    if not len(times):
        return []
    breaks = np.flatnonzero((np.diff(expressions) != 0) | (np.diff(times) > gap_s)) + 1
    edges = [0, *breaks.tolist(), len(times)]
    return [(a, b - 1) for a, b in pairwise(edges)]


def stretches(times: np.ndarray, inside: np.ndarray, *, gap_s: float) -> list[tuple[int, int]]:
    """(first, last) indices of each run of `inside` (M,) at rising times (M,) without a gap."""
    breaks = np.flatnonzero(np.diff(times) > gap_s) + 1
    runs = []
    for part in np.split(np.arange(len(times)), breaks):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside[part], [False]]).astype(np.int8)))
        runs += [(int(part[a]), int(part[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return runs
