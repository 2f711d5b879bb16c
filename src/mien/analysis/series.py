"""The scores of one track over time: in at most so many steps, without the gaps in which nobody is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.analysis.faces import FaceTable
from mien.analysis.timing import frame_seconds, longest_gap
from mien.tracking.smoothing import smooth

MOST_STEPS = 1500  # of a plot; more frames are averaged
CUT_NOTE = "; dotted: every face changes at once (a cut)"


@dataclass(frozen=True, eq=False)
class TrackSeries:
    """M steps of one track in the order of time."""

    track: int  # -1: faces without a track
    labels: tuple[str, ...]
    times: np.ndarray  # (M,) presentation times at which the steps begin
    scores: np.ndarray  # (M, K) mean probabilities, smoothed where the expressions are
    expression: np.ndarray  # (M,) class index where it is counted; -1: uncertain or flagged
    seen_s: float
    step_s: float
    gap_s: float

    @property
    def segments(self) -> list[slice]:
        """The parts in which the person is seen without a gap."""
        breaks = [0, *(np.flatnonzero(np.diff(self.times) > self.gap_s) + 1).tolist(), len(self.times)]
        return [slice(a, b) for a, b in pairwise(breaks) if b > a]

    def edges(self, part: slice) -> np.ndarray:
        """(m + 1,) where each step of a segment begins, and where the last one ends."""
        times = self.times[part]
        return np.append(times, times[-1] + self.step_s)

    def runs(self) -> Iterator[tuple[float, float, int]]:
        """(from, to, class index or -1) of stretches with one expression."""
        yield from self.spans(self.times, self.expression, self.step_s, self.gap_s, every=True)

    @staticmethod
    def spans(
        times: np.ndarray, values: np.ndarray, step_s: float, gap_s: float, *, every: bool = False
    ) -> Iterator[tuple[float, float, int]]:
        """(from, to, value) of stretches (M,) with one value, without gaps; of negative ones only with `every`."""
        breaks = np.flatnonzero((np.diff(values) != 0) | (np.diff(times) > gap_s)) + 1
        starts, ends = [0, *breaks.tolist()], [*breaks.tolist(), len(times)]
        for a, b in zip(starts, ends, strict=True):
            if b > a and (every or values[a] >= 0):
                end = times[b] if b < len(times) and times[b] - times[b - 1] <= gap_s else times[b - 1] + step_s
                yield float(times[a]), float(end), int(values[a])


def track_series(video: FaceTable, track: int, grid: np.ndarray, *, most_steps: int = MOST_STEPS) -> TrackSeries:
    """One track of a video whose frames have these rising times; with many frames, means over equal steps."""
    rows = np.flatnonzero(video.seen & (video.track == track))
    rows = rows[np.argsort(video.time_s[rows], kind="stable")]
    times = video.time_s[rows]
    expression = np.where(video.counted, video.expression, -1)[rows]
    scores = video.probabilities[rows]
    if video.smoothed and track >= 0:
        scores = smooth(times, np.zeros(len(times)), scores)
    usual = float(np.median(np.diff(grid))) if len(grid) > 1 else 1.0
    step, gap = usual, longest_gap(grid)
    seen = float(frame_seconds(grid)[np.searchsorted(grid, times)].sum())
    if track < 0 or len(times) > most_steps:
        step = max(usual, float(grid[-1] - grid[0]) / most_steps)
        times, scores, expression = _binned(times, scores, expression, step)
        gap = max(gap, 2 * step)
    labels = tuple(map(str, video.labels))
    return TrackSeries(track, labels, times, scores, expression, seen, step, gap)


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
    times, frame = np.unique(video.time_s, return_inverse=True)
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
