"""A track's way up does not flip by a single key frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from mien.faces.roll import up_deg
from mien.pipeline.turns import AnyRoll, LocatedFace

FLIP_DEG = 90  # more than this between two key frames is a flip, not a movement
REMEMBERED = 64  # tracks


class SteadyUp:
    """Holds each track's way up against one key frame that says otherwise; the next that agrees turns it.

    A face that is held is measured that way up, so that it is uncertain where the image says otherwise.
    """

    def __init__(self, any_roll: AnyRoll, state: dict[str, Any] | None = None) -> None:
        self._any_roll = any_roll
        self._ups: dict[int, tuple[float, bool]] = {
            int(track): (up, held) for track, (up, held) in (state or {}).items()
        }

    def keep(self, track: int, image: np.ndarray, face: LocatedFace) -> LocatedFace:
        """The face of a key frame (H, W, 3) uint8, the way up that its track has."""
        up, held = self._ups.pop(track, (None, False))
        now = float(up_deg(face.landmarks[None])[0])
        if up is not None and _apart(now, up) > FLIP_DEG and not (face.known and held):
            kept = self._any_roll.locate_at(image, face.detection, round(up / 90) % 4)
            if _apart(float(up_deg(kept.landmarks[None])[0]), up) <= FLIP_DEG:
                self._remember(track, up, held=face.known)
                return kept
        if face.known:
            self._remember(track, now, held=False)
        elif up is not None:
            self._remember(track, up, held=False)
        return face

    def _remember(self, track: int, up: float, *, held: bool) -> None:
        self._ups[track] = (up, held)
        while len(self._ups) > REMEMBERED:
            del self._ups[next(iter(self._ups))]

    def state(self) -> dict[str, Any]:
        """Plain values from which another goes on."""
        return {str(track): list(value) for track, value in self._ups.items()}


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)
