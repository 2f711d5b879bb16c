"""What is left of the figures when images get worse or heads turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.evaluation.predictions import Predictions, bootstrap_clusters, check_same
from mien.metrics import Interval, classification_intervals, classification_metrics, paired_differences

YAW_EDGES_DEG = (10.0, 20.0, 35.0)  # turned further, landmarks tell no more by how much


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One corruption at one strength; every image was judged in it."""

    kind: str
    strength: str
    altered: int  # images that it altered at all
    answered: int  # images with an answer; one without (no face found) counts as wrong
    accuracy: float
    balanced_accuracy: float
    accuracy_change: Interval  # from the clean images to these
    balanced_accuracy_change: Interval
    accuracy_gain: Interval | None = None  # over the weights compared with, in this version
    balanced_accuracy_gain: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Clean images whose heads are turned so far."""

    yaw: str  # degrees to either side, measured from landmarks
    images: int
    accuracy: float
    balanced_accuracy: float
    accuracy_interval: Interval


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """One weights file on one set, from mild to hard."""

    versions: tuple[Version, ...]
    turned: tuple[Turned, ...]
    clean_gain: Interval | None  # over the weights compared with, on clean images

    @property
    def kinds(self) -> dict[str, list[Version]]:
        """The versions of each kind."""
        found: dict[str, list[Version]] = {}
        for version in self.versions:
            found.setdefault(version.kind, []).append(version)
        return found

    @property
    def mean_accuracy(self) -> float:
        """The mean over kinds of the mean over their strengths."""
        return float(np.mean([np.mean([one.accuracy for one in kind]) for kind in self.kinds.values()]))

    @property
    def mean_balanced_accuracy(self) -> float:
        """The same of the balanced accuracy."""
        return float(np.mean([np.mean([one.balanced_accuracy for one in kind]) for kind in self.kinds.values()]))


def robustness(
    clean: Predictions,
    corrupted: Sequence[tuple[str, str, int, Predictions]],
    *,
    yaw_deg: np.ndarray,
    other: tuple[Predictions, Sequence[Predictions]] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Robustness:
    """Judge the clean images against their corrupted versions (kind, strength, images altered, answers).

    `yaw_deg` (N,): of the heads, NaN where not known. `other`: the answers of weights to compare with, clean and
    for each version. Intervals: 95 %, paired: each draw takes both versions of an image or neither, and people
    as a whole where the set names them. Raises `InputError` where the answers are for other images or classes.
    """
    check_same([clean, *(after for *_, after in corrupted)])
    if other is not None:
        check_same([clean, other[0], *other[1]])
    units = bootstrap_clusters(clean)

    def changed(before: Predictions, after: Predictions) -> dict[str, Interval]:
        return paired_differences(
            clean.truth, after.probabilities, before.probabilities, clusters=units, resamples=draws, seed=seed
        )

    found = []
    for i, (kind, strength, altered, after) in enumerate(corrupted):
        said = classification_metrics(after.truth, after.probabilities)
        moved = changed(clean, after)
        gain = None if other is None else changed(other[1][i], after)
        found.append(
            Version(
                kind=kind,
                strength=strength,
                altered=altered,
                answered=said.predicted,
                accuracy=said.accuracy,
                balanced_accuracy=said.balanced_accuracy,
                accuracy_change=moved["accuracy"],
                balanced_accuracy_change=moved["balanced_accuracy"],
                accuracy_gain=None if gain is None else gain["accuracy"],
                balanced_accuracy_gain=None if gain is None else gain["balanced_accuracy"],
            )
        )
    return Robustness(
        versions=tuple(found),
        turned=_turned(clean, yaw_deg, units, draws=draws, seed=seed),
        clean_gain=None if other is None else changed(other[0], clean)["accuracy"],
    )


def _turned(
    clean: Predictions, yaw_deg: np.ndarray, units: np.ndarray | None, *, draws: int, seed: int
) -> tuple[Turned, ...]:
    edges = [f"{edge:g}" for edge in YAW_EDGES_DEG]
    names = [f"under {edges[0]}°"]
    names += [f"{low} to {high}°" for low, high in pairwise(edges)] + [f"over {edges[-1]}°"]
    known = np.isfinite(yaw_deg)
    turned = np.digitize(np.abs(np.where(known, yaw_deg, 0)), YAW_EDGES_DEG)
    found = []
    for i, name in enumerate(names):
        rows = np.flatnonzero(known & (turned == i))
        if not len(rows):
            continue
        part = clean.take(rows)
        of = None if units is None else units[rows]
        bounds = classification_intervals(part.truth, part.probabilities, clusters=of, resamples=draws, seed=seed)
        said = classification_metrics(part.truth, part.probabilities)
        found.append(
            Turned(
                yaw=name,
                images=len(rows),
                accuracy=said.accuracy,
                balanced_accuracy=said.balanced_accuracy,
                accuracy_interval=bounds["accuracy"],
            )
        )
    return tuple(found)
