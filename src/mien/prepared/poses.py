"""Pose classes: which way a head is turned, in bins. Signs of the angles: docs/concepts/conventions.md.

Where a set states no pose, the pose measured from landmarks gives a pseudo-label, or -1 for "do not know".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.errors import OptionError
from mien.prepared.concat import ConcatStore
from mien.prepared.store import PreparedStore


@dataclass(frozen=True, kw_only=True)
class PoseClasses:
    """Bins of yaw, and of pitch if wanted. Class = yaw bin x pitch bins + pitch bin.

    `yaw_edges_deg`: the inner borders, ascending; the outermost bins are open. `signed`: left and right
    are different classes; otherwise the size of the yaw counts and the borders are positive.
    """

    yaw_edges_deg: tuple[float, ...]
    pitch_edges_deg: tuple[float, ...] = ()
    signed: bool = True

    def __post_init__(self) -> None:
        for edges in (self.yaw_edges_deg, self.pitch_edges_deg):
            if list(edges) != sorted(set(edges)):
                raise OptionError(f"borders of pose bins must ascend; found {edges}")
        if not self.signed and self.yaw_edges_deg and self.yaw_edges_deg[0] <= 0:
            raise OptionError(f"without signs the borders of yaw must be above 0; found {self.yaw_edges_deg}")

    @classmethod
    def around(
        cls, yaw_deg: Sequence[float], pitch_deg: Sequence[float] = (0.0,), *, signed: bool = True
    ) -> PoseClasses:
        """Bins around centres, with borders half way between them."""

        def between(centres: Sequence[float]) -> tuple[float, ...]:
            return tuple((a + b) / 2 for a, b in pairwise(centres))

        return cls(yaw_edges_deg=between(yaw_deg), pitch_edges_deg=between(pitch_deg), signed=signed)

    def __len__(self) -> int:
        return (len(self.yaw_edges_deg) + 1) * (len(self.pitch_edges_deg) + 1)

    @property
    def flip(self) -> tuple[int, ...]:
        """The class of a flipped face: class i becomes `flip[i]`.

        Raises `OptionError` where signed borders of yaw are not symmetric.
        """
        yaws, pitches = len(self.yaw_edges_deg) + 1, len(self.pitch_edges_deg) + 1
        if self.signed and not np.allclose(self.yaw_edges_deg, [-edge for edge in self.yaw_edges_deg[::-1]]):
            raise OptionError(
                f"the yaw borders {self.yaw_edges_deg} are not symmetric: a flipped face has no class"
            )
        order = range(yaws - 1, -1, -1) if self.signed else range(yaws)
        return tuple(yaw * pitches + pitch for yaw in order for pitch in range(pitches))

    def of(self, yaw_deg: np.ndarray, pitch_deg: np.ndarray | None = None) -> np.ndarray:
        """Classes (N,) of exactly known angles (N,); -1 where one that counts is NaN."""
        none = np.zeros(len(yaw_deg))
        return self._within(yaw_deg, none, none if pitch_deg is None else pitch_deg, none)

    def measured(self, yaw_deg: np.ndarray, pitch_deg: np.ndarray, trust: PoseTrust) -> np.ndarray:
        """Classes (N,) of measured angles (N,); -1 unless every angle that may be meant lies in one bin."""
        return self._within(yaw_deg, trust.yaw_error_deg, pitch_deg, trust.pitch_error_deg, trust.reliable_deg)

    def _within(
        self,
        yaw: np.ndarray,
        yaw_error: np.ndarray | float,
        pitch: np.ndarray,
        pitch_error: np.ndarray | float,
        reliable: float = np.inf,
    ) -> np.ndarray:
        if not self.signed:
            yaw = np.abs(yaw)
        label = np.zeros(len(yaw), dtype=np.int64)
        known = np.ones(len(yaw), dtype=bool)
        for angle, error, edges in (
            (yaw, yaw_error, self.yaw_edges_deg),
            (pitch, pitch_error, self.pitch_edges_deg),
        ):
            # a reading beyond the reliable range stands for itself and everything further out
            low = np.searchsorted(edges, np.where(angle < -reliable, -np.inf, angle - error), side="right")
            high = np.searchsorted(edges, np.where(angle > reliable, np.inf, angle + error), side="right")
            label = label * (len(edges) + 1) + low
            known &= (low == high) & (np.isfinite(angle) | (len(edges) == 0))
        return np.where(known, label, -1)


@dataclass(frozen=True, kw_only=True)
class PoseTrust:
    """How far the pose measured from landmarks can be believed.

    Defaults: the mean errors in docs/models/landmarks68.md, measured on rendered heads up to 45 degrees. There a
    yaw of 60 is read as about 42, so a reading beyond `reliable_deg` may be any larger angle.
    """

    yaw_error_deg: float = 2.7
    pitch_error_deg: float = 3.4
    reliable_deg: float = 35.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseLabels:
    """Pose classes of N images."""

    classes: PoseClasses
    label: np.ndarray  # (N,) int; -1: do not know
    pseudo: np.ndarray  # (N,) bool: measured by us, not stated by the set

    def flipped(self, flipped: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The labels (R,) of `rows` after some of these images were flipped, (R,) bool; -1 stays."""
        flip, label = np.array([*self.classes.flip, -1]), self.label[rows]
        return np.where(flipped, flip[label], label)


def pose_labels(store: PreparedStore | ConcatStore, classes: PoseClasses) -> PoseLabels:
    """Pose classes of prepared faces: what the set states, or else pseudo-labels from the measured head pose.

    An image in which no face was found has none. Pitch is only needed where `classes` has bins of it.
    """
    count = len(store)
    nothing = np.full(count, np.nan)
    yaw, pitch = (
        nothing if (column := store.column(f"{name}_deg")) is None else column for name in ("yaw", "pitch")
    )
    stated = classes.of(yaw, pitch)
    head_yaw, head_pitch = (store.column(f"head_{name}_deg") for name in ("yaw", "pitch"))
    if head_yaw is None or head_pitch is None:
        return PoseLabels(classes=classes, label=stated, pseudo=np.zeros(count, dtype=bool))
    measured = classes.measured(head_yaw, head_pitch, PoseTrust())
    measured = np.where(store.detected, measured, -1)
    pseudo = (stated < 0) & (measured >= 0)
    return PoseLabels(classes=classes, label=np.where(pseudo, measured, stated), pseudo=pseudo)


# Pose classes of the multi-view protocols (docs of PhaNet name the sets; the bins are those of their cameras).
BU_3DFE = PoseClasses.around((0, 30, 45, 60, 90), signed=False)
MULTI_PIE = PoseClasses.around((-45, -30, -15, 0, 15, 30, 45))
KDEF = PoseClasses.around((-90, -45, 0, 45, 90))
FIVE_YAWS = PoseClasses.around((-45, -22.5, 0, 22.5, 45))  # for sets in the wild, by pseudo-labels
