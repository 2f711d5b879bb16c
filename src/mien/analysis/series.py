"""The scores of one track over time: in at most so many steps, without the gaps in which nobody is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.analysis.faces import FaceTable
from mien.analysis.timing import frame_seconds, frame_times, longest_gap
from mien.tracking.smoothing import smooth

MOST_STEPS = 1500  # of a plot; more frames are averaged
_SAME_S = 1e-6  # times are rounded to it
CUT_NOTE = "; dotted: every face changes at once (a cut)"


@dataclass(frozen=True, eq=False)
class TrackSeries:
    """M steps of one track in the order of time."""

    track: int  # -1: faces without a track
    labels: tuple[str, ...]
    times: np.ndarray  # (M,) presentation times at which the steps begin
    ends: np.ndarray  # (M,) and at which they end: where the next step begins, or the person is out of sight
    scores: np.ndarray  # (M, K) mean probabilities, smoothed where the expressions are
    expression: np.ndarray  # (M,) class index where it is counted; -1: uncertain or flagged
    seen_s: float

    @property
    def segments(self) -> list[slice]:
        """The parts in which the person is seen without a gap."""
        breaks = [0, *(np.flatnonzero(_apart(self.times, self.ends)) + 1).tolist(), len(self.times)]
        return [slice(a, b) for a, b in pairwise(breaks) if b > a]

    def edges(self, part: slice) -> np.ndarray:
        """(m + 1,) where each step of a segment begins, and where the last one ends."""
        return np.append(self.times[part], self.ends[part][-1])

    def runs(self) -> Iterator[tuple[float, float, int]]:
        """(from, to, class index or -1) of stretches with one expression."""
        yield from self.spans(self.times, self.ends, self.expression, every=True)

    @staticmethod
    def spans(
        times: np.ndarray, ends: np.ndarray, values: np.ndarray, *, every: bool = False
    ) -> Iterator[tuple[float, float, int]]:
        """(from, to, value) of stretches (M,) with one value, without gaps; of negative ones only with `every`."""
        breaks = np.flatnonzero((np.diff(values) != 0) | _apart(times, ends)) + 1
        for a, b in pairwise([0, *breaks.tolist(), len(times)]):
            if b > a and (every or values[a] >= 0):
                yield float(times[a]), float(ends[b - 1]), int(values[a])


def _apart(times: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(M - 1,) whether a step ends before the next one begins."""
    return times[1:] - ends[:-1] > _SAME_S


def frame_ends(times: np.ndarray) -> np.ndarray:
    """(M,) until when the frames at rising times (M,) are drawn: as long as they count, a single one a second."""
    return times + (frame_seconds(times) if len(times) > 1 else 1.0)


def track_series(video: FaceTable, track: int, grid: np.ndarray, *, most_steps: int = MOST_STEPS) -> TrackSeries:
    """One track of a video whose frames have these rising times; with many frames, means over equal steps."""
    rows = np.flatnonzero(video.seen & (video.track == track))
    rows = rows[np.argsort(video.time_s[rows], kind="stable")]
    times = video.time_s[rows]
    expression = np.where(video.counted, video.expression, -1)[rows]
    scores = video.probabilities[rows]
    if video.smoothed and track >= 0:
        scores = smooth(times, np.zeros(len(times)), scores)
    seen = float(frame_seconds(grid)[np.searchsorted(grid, times)].sum())
    if track < 0 or len(times) > most_steps:
        usual = float(np.median(np.diff(grid))) if len(grid) > 1 else 1.0
        step = max(usual, float(grid[-1] - grid[0]) / most_steps)
        times, scores, expression = _binned(times, scores, expression, step)
        grid = np.unique(np.floor(grid / step)) * step
    ends = frame_ends(grid)[np.searchsorted(grid, times)]
    return TrackSeries(track, tuple(map(str, video.labels)), times, ends, scores, expression, seen)


def _binned(
    times: np.ndarray, scores: np.ndarray, expression: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over steps; the most frequent expression of each, -1 where most frames are not counted."""
    cells, inverse, counts = np.unique(np.floor(times / step), return_inverse=True, return_counts=True)
    means = np.zeros((len(cells), scores.shape[1]))
    np.add.at(means, inverse, scores)
    votes = np.zeros((len(cells), scores.shape[1] + 1))
    np.add.at(votes, (inverse, expression), 1)  # -1 is the last column
    most = votes.argmax(axis=1)
    return cells * step, means / counts[:, None], np.where(most == scores.shape[1], -1, most)


def cuts(video: FaceTable) -> np.ndarray:
    """Times at which every track ends and others begin in the next frame: a shot change ends tracks."""
    times = frame_times(video)
    frame = np.searchsorted(times, video.time_s)
    tracks: list[set[int]] = [set() for _ in times]
    for i, track in zip(frame[video.seen].tolist(), video.track[video.seen].tolist(), strict=True):
        tracks[i].add(track)
    gap = longest_gap(times)
    return np.array(
        [
            later
            for a, b, earlier, later in zip(tracks, tracks[1:], times, times[1:], strict=False)
            if a and b and not a & b and later - earlier <= gap
        ]
    )
