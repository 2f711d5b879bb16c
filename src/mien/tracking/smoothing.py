"""Scores of a track smoothed over time: a weighted mean of the frames around each frame.

The weight of a frame dt seconds away is exp(-(dt / SIGMA_S)**2 / 2), and 0 beyond WINDOW_S; the weights of a frame
sum to 1. Frames before and after count alike, so that nothing is delayed. Only frames of the same track count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SIGMA_S = 0.15
WINDOW_S = 0.45


def smooth(times: ArrayLike, tracks: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """The smoothed scores (N, K) of rows in any order.

    times: (N,) seconds. tracks: (N,) numbers; rows with NaN or a negative number belong to no track and stay as
    they are. scores: (N, K), as the `p_` columns of a table have them. A table of `mien predict` has the most
    probable class of the result as `smoothed`; of a live source, smoothed without the frames that followed.
    """
    times, tracks = np.asarray(times, dtype=np.float64), np.asarray(tracks, dtype=np.float64)
    scores = np.asarray(scores, dtype=np.float64)
    result = scores.copy()
    for track in np.unique(tracks[np.isfinite(tracks) & (tracks >= 0)]):
        rows = np.flatnonzero(tracks == track)
        rows = rows[np.argsort(times[rows], kind="stable")]
        result[rows] = _smooth_track(times[rows], scores[rows])
    return result


def smooth_at(time_s: float, times: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """The smoothed scores (K,) of one track at one moment, from its frames at `times` (N,) with `scores` (N, K)."""
    weights = _weights(np.asarray(times, dtype=np.float64) - time_s)
    return weights @ np.asarray(scores, dtype=np.float64) / weights.sum()


def _smooth_track(times: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Rows in the order of their times."""
    first = np.searchsorted(times, times - WINDOW_S, side="left")
    last = np.searchsorted(times, times + WINDOW_S, side="right")
    rows = zip(times, first, last, strict=True)
    return np.stack([smooth_at(time_s, times[a:b], scores[a:b]) for time_s, a, b in rows])


def _weights(seconds: np.ndarray) -> np.ndarray:
    return np.exp(-((seconds / SIGMA_S) ** 2) / 2) * (np.abs(seconds) <= WINDOW_S)
