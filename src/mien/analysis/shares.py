"""Shares of expressions with 95 % intervals: a bootstrap over files, or over blocks of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.metrics.resampling import bootstrap_each

LEAST_UNITS = 8  # files or blocks that an interval needs
_CORRELATED = 0.05  # autocorrelation below which frames count as independent
_BLOCK_TIMES = 3.0  # correlation times in a block: tests/analysis/test_shares.py measures the coverage
_LONGEST_GAP = 1000.0  # cells of the autocorrelation; longer gaps are shortened to it
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionShare:
    """One expression among what was counted. The 95 % interval is None where too little was seen for one."""

    expression: str
    amount: float  # seconds of a video, faces of images
    share: float | None  # 0..1; None: nothing was counted
    low: float | None = None
    high: float | None = None
    mean_probability: float | None = None  # over all faces without flags, uncertain ones too
    onset_s: float | None = None  # presentation time at which it is first counted; of one video
    episodes: int | None = None  # stretches of it in videos


def shares(
    expression: np.ndarray, weights: np.ndarray, units: np.ndarray, labels: tuple[str, ...]
) -> tuple[ExpressionShare, ...]:
    """The share of each class among rows (N,) of these class indices and weights, with intervals.

    `units` (N,): rows of one unit (a file, a block of time) are resampled together. An expression that no unit, or
    every one, shows has the exact binomial bound of so many independent units.
    """
    amounts = np.bincount(expression, weights=weights, minlength=len(labels))
    total = float(amounts.sum())
    if total <= 0:
        return tuple(ExpressionShare(expression=label, amount=0.0, share=None) for label in labels)
    bounds = _intervals(expression, weights, units, len(labels))
    return tuple(
        ExpressionShare(
            expression=label,
            amount=float(amounts[i]),
            share=float(amounts[i]) / total,
            low=bounds[i][0] if i in bounds else None,
            high=bounds[i][1] if i in bounds else None,
        )
        for i, label in enumerate(labels)
    )


def _intervals(
    expression: np.ndarray, weights: np.ndarray, units: np.ndarray, classes: int
) -> dict[int, tuple[float, float]]:
    """The 95 % interval of each class that has one."""
    names, unit = np.unique(units, return_inverse=True)
    count = len(names)
    if count < LEAST_UNITS:
        return {}
    sums = np.zeros((count, classes))
    np.add.at(sums, (unit, expression), weights)

    def statistics(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {str(i): sums[:, i] / sums.sum(axis=1) for i in range(classes)}

    drawn = bootstrap_each(statistics, sums, clusters=np.arange(count).astype(str), resamples=_RESAMPLES)
    wider = student_factor(count)
    bounds = {
        int(name): (
            max(0.0, one.value - wider * (one.value - one.low)),
            min(1.0, one.value + wider * (one.high - one.value)),
        )
        for name, one in drawn.items()
    }
    margin = 1 - 0.025 ** (1 / count)
    shown = sums.sum(axis=0) > 0  # a share of 1 need not be exactly 1.0
    for i in range(classes):
        if not shown[i]:
            bounds[i] = (0.0, margin)
        elif shown.sum() == 1:
            bounds[i] = (1 - margin, 1.0)
    return bounds


def student_factor(count: int) -> float:
    """How much wider than the bootstrap's an interval over so few units is: Student's t."""
    z, freedom = 1.96, count - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return t / z * (count / freedom) ** 0.5


def block_seconds(times: np.ndarray, expression: np.ndarray, *, classes: int) -> float:
    """Length of blocks of time that are about independent, for class indices (N,) at rising times (N,).

    Three times the longest integrated autocorrelation time of an expression that comes and goes.
    """
    if len(times) < 3:
        return 0.0
    gaps = np.diff(times)
    step = max(float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0, 1e-3)
    gaps = np.minimum(gaps, _LONGEST_GAP * step)
    cells = np.round(np.append(0, np.cumsum(gaps)) / step).astype(np.int64)
    present = np.zeros(cells[-1] + 1)
    present[cells] = 1
    longest = step
    for one in range(classes):
        inside = (expression == one).astype(np.float64)
        if 0 < inside.sum() < len(inside):
            signal = np.zeros_like(present)
            signal[cells] = inside - inside.mean()
            longest = max(longest, step * _correlation_frames(signal, present))
    return _BLOCK_TIMES * longest


def _correlation_frames(signal: np.ndarray, present: np.ndarray) -> float:
    """Integrated autocorrelation time in cells of a centred signal (M,), zero where nothing is `present` (M,)."""
    size = 1 << (2 * len(signal) - 1).bit_length()
    half = max(2, len(signal) // 2)
    power, pairs = (
        np.fft.irfft(np.abs(np.fft.rfft(values, size)) ** 2, size)[:half] for values in (signal, present)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(pairs > 0.5, power / pairs, 0) / (power[0] / pairs[0])
    below = np.flatnonzero(correlation < _CORRELATED)
    return float(1 + 2 * correlation[1 : below[0] if len(below) else half].sum())
