"""How often the intervals of `mien summary` hold the true share, on simulated tracks.

    python benchmarks/interval_coverage.py [--tracks 100]

Three expressions last for exponential times and change to another at random. "frames": intervals that resample
single frames, as if they were independent.
"""

from __future__ import annotations

import argparse

import numpy as np

from mien.analysis.shares import block_seconds, shares

STEP_S = 0.1
CASES = {  # mean seconds of each expression, how likely each follows, seconds of a track
    "even, 2 min": ((3, 3, 3), (1, 1, 1), 120),
    "even, 10 min": ((3, 3, 3), (1, 1, 1), 600),
    "mostly one, 10 min": ((60, 3, 2), (3, 2, 1), 600),
}


def simulate(
    rng: np.random.Generator, lasting: tuple[int, ...], likely: tuple[int, ...], seconds: float
) -> np.ndarray:
    """Class indices every STEP_S seconds."""
    states = np.zeros(round(seconds / STEP_S), dtype=np.int64)
    begin, state = 0.0, int(rng.integers(len(lasting)))
    while begin < seconds:
        end = begin + rng.exponential(lasting[state])
        states[round(begin / STEP_S) : round(end / STEP_S)] = state
        weights = np.array(likely, dtype=float)
        weights[state] = 0
        begin, state = end, int(rng.choice(len(lasting), p=weights / weights.sum()))
    return states


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=100)
    tracks = parser.parse_args().tracks
    print(f"{'case':<20} {'true shares':<18} {'blocks':<18} frames  without interval")
    for name, (lasting, likely, seconds) in CASES.items():
        rng = np.random.default_rng(0)
        truth = np.bincount(simulate(rng, lasting, likely, 200_000), minlength=3) / (200_000 / STEP_S)
        missing = 0
        hits: list[list[bool]] = []
        frames: list[list[bool]] = []
        for _ in range(tracks):
            states = simulate(rng, lasting, likely, seconds)
            times, weights = np.arange(len(states)) * STEP_S, np.full(len(states), STEP_S)
            blocks = np.floor(times / block_seconds(times, states, classes=3))
            for units, kept in ((blocks, hits), (np.arange(len(states)), frames)):
                rows = [(one.low, one.high) for one in shares(states, weights, units, ("a", "b", "c"))]
                if rows[0][0] is None:
                    missing += 1
                else:
                    kept.append([low <= value <= high for (low, high), value in zip(rows, truth, strict=True)])
        print(f"{name:<20} {_percent(truth):<18} {_percent(np.mean(hits, axis=0)):<18} "
              f"{np.mean(frames):>6.0%}  {missing}")  # fmt: skip


def _percent(values: np.ndarray) -> str:
    return " ".join(f"{value:.0%}" for value in values)


if __name__ == "__main__":
    main()
