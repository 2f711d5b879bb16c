"""Seconds from presentation times: what each frame stands for, stretches and changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mien.analysis.faces import FaceTable
from mien.media.frames import MAX_FPS, intervals
from mien.media.live import is_live

GAP_S = 1.0  # frames further apart are a gap, unless the table is sampled so sparsely
_GAP_FRAMES = 5.0  # ... which is so many times the usual distance
_LEAST_RUNS = 3  # of frames, that tell whether frames are left out regularly
_LONGEST_RUN = 60  # of frames between two that are left out regularly: 59 of 60 a second
_REGULAR = 0.8  # share of the runs that have about the same length
_NTSC = (24, 30, 60)
_IRREGULAR = 0.05  # of a frame: so far is a frame from its place at a constant rate


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
    the frame before it is not shown until the next that was kept. Their numbers tell. A camera drops frames itself.
    """
    rows = np.arange(len(faces)) if rows is None else rows
    times, first = np.unique(faces.time_s[rows], return_index=True)
    if len(times) < 3 or is_live(str(faces.source[rows[0]])):
        return times
    before, steps = _before_missing(times, faces.frame[rows][first]), np.diff(times)
    return np.union1d(times, times[:-1][before] + steps[~before & (steps < 2 * np.median(steps))].mean())


def _before_missing(times: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(M - 1,) after which frames at rising times (M,) with these numbers (M,) frames were taken out.

    Steps between examined frames are the usual one, rounded up or down: 2 and 3 where 12 of 30 frames a second are.
    Of 25 in 30 they are 1, and 2 after every fifth: there a 2 tells nothing. Where frames come irregularly, only
    what is more than twice the usual in number and in time tells.
    """
    steps, numbers = np.diff(times), np.diff(frames)
    seconds_a_frame = (times[-1] - times[0]) / max(int(frames[-1] - frames[0]), 1)
    irregular = np.abs(times - times[0] - (frames - frames[0]) * seconds_a_frame) > _IRREGULAR * seconds_a_frame
    if irregular.any():
        return np.asarray((steps > 2 * np.median(steps)) & (numbers > 2 * np.median(numbers)))
    usual = float(np.mean(numbers[numbers < 2 * np.median(numbers)]))
    if usual >= 1.5:
        return np.asarray(numbers > 1.5 * usual)
    passed_over = (numbers == 2).any() and (_is_regular(numbers) or _is_sampled(times, numbers))
    return np.asarray(numbers > (2 if passed_over else 1))


def _is_regular(steps: np.ndarray) -> bool:
    """Whether steps of 2 come after runs of about equal length."""
    twos = np.flatnonzero(steps > 1)
    runs = np.diff(twos)
    if len(runs) < _LEAST_RUNS:
        runs = np.diff(twos, prepend=-1, append=len(steps))
        return len(runs) > 1 and bool(runs.max() <= _LONGEST_RUN)
    return bool(np.median(runs) <= _LONGEST_RUN and np.mean(np.abs(runs - np.median(runs)) <= 1) >= _REGULAR)


def _is_sampled(times: np.ndarray, steps: np.ndarray) -> bool:
    """Whether these are the first frames of the intervals of 1/fps for some rate, none missing at steps of 2."""
    rate = min(1 / float(np.median(np.diff(times))), MAX_FPS)
    rates = np.arange(math.ceil(rate / 1.5 * 10), math.floor(rate * 1.1 * 10) + 1) / 10
    for fps in (*rates, *(1000 / 1001 * nominal for nominal in _NTSC)):
        apart = np.diff(intervals(times, fps))
        if (apart > 0).all() and np.mean(apart[steps == 2] == 1) >= 0.5:
            return True
    return False


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
