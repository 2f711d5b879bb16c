from __future__ import annotations

import numpy as np
import pytest

from mien.analysis.shares import LEAST_UNITS, block_seconds, shares

LABELS = ("a", "b", "c")


def chain(rng: np.random.Generator, seconds: float, *, step: float = 0.1, bout_s: float = 3.0) -> np.ndarray:
    """Classes that last for exponential times of this mean and change to any other: each a third of the time."""
    states = np.zeros(round(seconds / step), dtype=np.int64)
    begin, state = 0.0, int(rng.integers(3))
    while begin < seconds:
        end = begin + rng.exponential(bout_s)
        states[round(begin / step) : round(end / step)] = state
        begin, state = end, (state + int(rng.integers(1, 3))) % 3
    return states


def test_intervals_over_blocks_hold_the_true_share() -> None:
    """About 92 % of them; resampling single frames would reach about a third of that."""
    rng, covered, naive = np.random.default_rng(0), [], []
    for _ in range(60):
        states = chain(rng, 300.0)
        times, weights = np.arange(len(states)) * 0.1, np.full(len(states), 0.1)
        length = block_seconds(times, states, classes=3)
        for units, hits in ((np.floor(times / length), covered), (np.arange(len(states)), naive)):
            of_classes = shares(states, weights, units, LABELS)
            hits += [one.low is not None and one.high is not None and one.low <= 1 / 3 <= one.high
                     for one in of_classes]  # fmt: skip
    assert np.mean(covered) > 0.85
    assert np.mean(naive) < 0.6


def test_blocks_grow_with_the_time_that_expressions_last() -> None:
    rng = np.random.default_rng(1)
    lengths = [block_seconds(np.arange(6000) * 0.1, chain(rng, 600.0, bout_s=bout), classes=3) for bout in (1, 4)]
    assert lengths[1] > 2 * lengths[0]


def test_too_few_units_have_no_interval() -> None:
    units = np.arange(LEAST_UNITS - 1)
    assert all(one.low is None for one in shares(units % 2, np.ones(len(units)), units, LABELS))


def test_what_was_never_seen_has_an_upper_bound() -> None:
    one = shares(np.zeros(20, dtype=int), np.ones(20), np.arange(20), LABELS)[1]
    assert (one.share, one.low) == (0.0, 0.0)
    assert one.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_nothing_counted_has_no_share() -> None:
    assert shares(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0), LABELS)[0].share is None


def test_an_expression_seen_alone_has_a_lower_bound_whatever_its_weights_add_up_to() -> None:
    weights = np.full(60, 0.1) * np.arange(1, 61) / 7
    only = shares(np.ones(60, dtype=np.int64), weights, np.arange(60) // 4, LABELS)
    margin = 1 - 0.025 ** (1 / 15)
    assert [(one.low, one.high) for one in only] == [(0, margin), (pytest.approx(1 - margin), 1), (0, margin)]


def test_times_that_were_rounded_do_not_shorten_the_blocks() -> None:
    states = np.repeat(np.arange(40) % 2, 30)
    times = np.arange(len(states)) / 30
    exact, rounded = (block_seconds(at, states, classes=2) for at in (times, np.floor(times * 10) / 10))
    assert rounded == pytest.approx(exact, rel=0.2)
