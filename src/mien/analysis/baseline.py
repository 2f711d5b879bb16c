"""Resting faces: scores of each person against their own stretches at rest (docs/concepts/resting-face.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.analysis.faces import FaceTable
from mien.analysis.shares import LEAST_UNITS, student_factor
from mien.analysis.timing import longest_gap, stretches
from mien.errors import OptionError
from mien.labels import Expression
from mien.metrics.resampling import bootstrap_each

STRETCH_S = 1.0  # a neutral stretch that counts as rest lasts at least so long
LEAST_REST_S = 3.0  # in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Where people are at rest: `auto` takes their neutral stretches, `stated` names seconds of tracks."""

    auto: bool
    stated: tuple[tuple[str, int, float, float], ...] = ()  # source ("": any), track, from and to in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreChange:
    """The mean score of one expression outside the stretches at rest, at rest, and the difference; 0..1."""

    expression: str
    score: float
    rest: float
    change: float
    low: float | None = None  # 95 % interval of the change; None: too little was seen for one
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingFace:
    """One track against its stretches at rest. Scores average all faces without quality flags."""

    rest_s: float
    stretches: tuple[tuple[float, float], ...]  # from and to, in seconds
    scores: tuple[ScoreChange, ...]
    problem: str = ""  # why there are no scores


def parse_baseline(values: Sequence[str]) -> Baseline | None:
    """`auto`, `TRACK:FROM-TO` or `FILE:TRACK:FROM-TO`, any number of them. Raises `OptionError`."""
    stated = []
    for value in values:
        match = re.fullmatch(r"(?:(.*):)?(\d+):(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", value)
        if match is None and value != "auto":
            raise OptionError(f"baseline is {value!r}; give auto, or TRACK:FROM-TO in seconds, such as 2:0-4.5")
        if match is not None:
            begin, end = float(match[3]), float(match[4])
            if begin >= end:
                raise OptionError(f"baseline is {value!r}; its end lies not behind its begin")
            stated.append((match[1] or "", int(match[2]), begin, end))
    return Baseline(auto="auto" in values, stated=tuple(stated)) if values else None


def check_baseline(baseline: Baseline, faces: FaceTable) -> None:
    """Raises `OptionError` for tracks that the table lacks, images, or classes without neutral."""
    if not (faces.track >= 0).any():
        raise OptionError("a resting face needs tracks of a video, and this table has none")
    if baseline.auto and Expression.NEUTRAL not in faces.labels:
        raise OptionError(f"no class is neutral among {', '.join(faces.labels)}; give TRACK:FROM-TO")
    for source, track, _, _ in baseline.stated:
        of_track = faces.track == track
        matching = sorted(set(faces.source[of_track & (faces.source == source if source else True)].tolist()))
        if not matching:
            raise OptionError(f"the table has no track {track}{f' of {source}' if source else ''}")
        if len(matching) > 1:
            raise OptionError(f"track {track} is in {len(matching)} videos; give {matching[0]}:{track}:FROM-TO")


def at_rest(baseline: Baseline, faces: FaceTable) -> np.ndarray:
    """(N,) which rows of one track, in the order of time, are at rest and without flags."""
    usable = faces.seen & ~faces.flagged
    times, inside = faces.time_s, np.zeros(len(faces), dtype=bool)
    stated = [(a, b) for source, track, a, b in baseline.stated
              if source in ("", faces.source[0]) and track == faces.track[0]]  # fmt: skip
    for begin, end in stated:
        inside |= (times >= begin) & (times <= end)
    if baseline.auto and not stated:
        neutral = usable & (faces.expression == faces.labels.index(Expression.NEUTRAL))
        for first, last in stretches(times, neutral, gap_s=longest_gap(times)):
            inside[first : last + 1] |= times[last] - times[first] >= STRETCH_S
    return inside & usable


def resting_face(
    baseline: Baseline, faces: FaceTable, seconds: np.ndarray, units: np.ndarray
) -> RestingFace | None:
    """The rows (N,) of one track, the seconds and the unit of each; None where nothing was asked of this track."""
    stated = any(source in ("", faces.source[0]) and track == faces.track[0]
                 for source, track, _, _ in baseline.stated)  # fmt: skip
    if not (baseline.auto or stated):
        return None
    order = np.argsort(faces.time_s, kind="stable")
    faces, seconds, units = faces.take(order), seconds[order], units[order]
    rest, usable = at_rest(baseline, faces), faces.seen & ~faces.flagged
    other, rest_s = usable & ~rest, float(seconds[rest].sum())
    runs = stretches(faces.time_s, rest, gap_s=longest_gap(faces.time_s))
    spans = tuple((float(faces.time_s[a]), float(faces.time_s[b])) for a, b in runs)
    problem = _problem(rest_s, float(seconds[other].sum()), stated=stated)
    scores = () if problem else _changes(faces, seconds, rest, other, units)
    return RestingFace(rest_s=rest_s, stretches=spans, scores=scores, problem=problem)


def _problem(rest_s: float, other_s: float, *, stated: bool) -> str:
    if stated and rest_s <= 0:
        return "no face without flags was seen in these seconds"
    if not stated and rest_s < LEAST_REST_S:
        return f"{rest_s:.1f} s of neutral stretches, fewer than {LEAST_REST_S:g} s; give TRACK:FROM-TO"
    return "" if other_s > 0 else "nothing else was seen"


def _changes(
    faces: FaceTable, seconds: np.ndarray, rest: np.ndarray, other: np.ndarray, units: np.ndarray
) -> tuple[ScoreChange, ...]:
    weights = np.stack([seconds * other, seconds * rest], axis=1)  # (N, 2)
    used = other | rest
    weights, scores = weights[used], faces.probabilities[used]
    names, unit = np.unique(units[used], return_inverse=True)
    sums, times = np.zeros((len(names), 2, scores.shape[1])), np.zeros((len(names), 2))
    np.add.at(sums, unit, weights[:, :, None] * scores[:, None, :])
    np.add.at(times, unit, weights)

    def differences(sums: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
        means = sums / times[:, :, None]
        return {label: means[:, 0, i] - means[:, 1, i] for i, label in enumerate(faces.labels)}

    means = sums.sum(axis=0) / times.sum(axis=0)[:, None]
    enough = len(names) >= LEAST_UNITS
    drawn = bootstrap_each(differences, sums, times, clusters=np.arange(len(names)).astype(str), resamples=1000)
    wider, changes = student_factor(len(names)) if enough else 1.0, []
    for i, label in enumerate(faces.labels):
        one = drawn[label]
        bounds = {
            "low": one.value - wider * (one.value - one.low),
            "high": one.value + wider * (one.high - one.value),
        }
        changes.append(
            ScoreChange(
                expression=str(label),
                score=float(means[0, i]),
                rest=float(means[1, i]),
                change=one.value,
                **(bounds if enough else {}),
            )
        )
    return tuple(changes)
