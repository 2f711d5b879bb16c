"""Which detections of one moment are the people of the moments before: motion, overlap and appearance.

Detections are assigned to tracks by the Hungarian method (scipy), first to those in sight, then to those lost from
sight. A shot change puts every track out of sight, and only a clear likeness brings one back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mien.geometry import Box, box_array, iou
from mien.tracking.appearance import likeness

COASTING_S = 1.0  # so long an unseen face is expected to go on moving as before
REMEMBERED_S = 60.0  # so long a face that left can come back
REMEMBERED_TRACKS = 64
FARTHEST = 1.2  # face sides between where a face was expected and where it is
MIN_SCORE = 0.35  # of overlap, distance and likeness together
LIKE_NEARBY = 0.80  # a face that comes back in its shot where it may have gone
LIKE_ANYWHERE = 0.93  # ... or elsewhere, or after a cut
CLEARLY = 0.04  # so much more alike than the next best
_NEWEST = 0.2  # share of the newest descriptor in that of the track
_VELOCITY = 0.6  # share of the newest velocity


@dataclass(slots=True)
class Track:
    """One person: `box`, `velocity` per second of centre x, y and log of the side, and colours, as last seen."""

    number: int
    box: list[float]
    velocity: list[float]
    colours: list[float]
    seen_s: float
    shot: int

    def expected(self, time_s: float) -> np.ndarray:
        """The box (4,) where it should be now."""
        seconds = min(max(time_s - self.seen_s, 0.0), COASTING_S)
        left, top, right, bottom = self.box
        x, y = (left + right) / 2 + self.velocity[0] * seconds, (top + bottom) / 2 + self.velocity[1] * seconds
        growth = float(np.exp(np.clip(self.velocity[2] * seconds, -0.5, 0.5)))
        wide, high = (right - left) * growth / 2, (bottom - top) * growth / 2
        return np.array([x - wide, y - high, x + wide, y + high])


class Tracker:
    """To be called with the detections of one moment after the other."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._next = self._shot = 0

    def update(
        self, time_s: float, boxes: Sequence[Box], colours: Sequence[np.ndarray], *, cut: bool = False
    ) -> list[int]:
        """The track number of each box. `colours`: their `descriptor`s. `cut`: another shot begins here."""
        self._shot += cut
        corners = box_array(boxes)
        numbers: list[Track | None] = [None] * len(boxes)
        in_sight = [t for t in self._tracks if t.shot == self._shot and time_s - t.seen_s <= COASTING_S]
        self._match(in_sight, numbers, lambda track, i: _nearby(track, time_s, corners[i], colours[i]))
        self._recall(time_s, corners, colours, numbers)
        for i, track in enumerate(numbers):
            if track is None:
                numbers[i] = self._begin(time_s, corners[i], colours[i])
            else:
                self._seen(track, time_s, corners[i], colours[i], crowded=_crowded(corners, i))
        self._forget(time_s)
        return [track.number for track in numbers if track is not None]

    def _match(
        self, tracks: list[Track], numbers: list[Track | None], score: Callable[[Track, int], float]
    ) -> None:
        """Assign free boxes to tracks so that the sum of the scores is largest; those of 0 are no match."""
        from scipy.optimize import linear_sum_assignment

        free = [i for i, track in enumerate(numbers) if track is None]
        if not tracks or not free:
            return
        scores = np.array([[score(track, i) for i in free] for track in tracks])
        for row, column in zip(*linear_sum_assignment(-scores), strict=True):
            if scores[row, column] > 0:
                numbers[free[column]] = tracks[row]

    def _recall(
        self, time_s: float, corners: np.ndarray, colours: Sequence[np.ndarray], numbers: list[Track | None]
    ) -> None:
        """Faces that come back: clearly more like one lost track than like any other track."""
        taken = {track.number for track in numbers if track is not None}
        lost = [track for track in self._tracks if track.number not in taken]

        def score(track: Track, i: int) -> float:
            alike = likeness(np.array(track.colours), colours[i])
            others = [likeness(np.array(other.colours), colours[i]) for other in lost if other is not track]
            rivals = [likeness(np.array(track.colours), colours[k]) for k in range(len(numbers)) if k != i]
            near = track.shot == self._shot and _reachable(track, time_s, corners[i])
            least = LIKE_NEARBY if near else LIKE_ANYWHERE
            clear = alike - max([*others, *rivals], default=0.0) >= CLEARLY
            return alike if alike >= least and clear else 0.0

        self._match(lost, numbers, score)

    def _begin(self, time_s: float, corners: np.ndarray, colours: np.ndarray) -> Track:
        track = Track(self._next, corners.tolist(), [0.0, 0.0, 0.0], colours.tolist(), time_s, self._shot)
        self._tracks.append(track)
        self._next += 1
        return track

    def _seen(
        self, track: Track, time_s: float, corners: np.ndarray, colours: np.ndarray, *, crowded: bool
    ) -> None:
        seconds = time_s - track.seen_s
        if track.shot != self._shot or seconds > COASTING_S:
            track.velocity = [0.0, 0.0, 0.0]
        elif seconds > 0:
            before, now = _centre_and_side(np.array(track.box)), _centre_and_side(corners)
            newest = (now - before) / seconds
            track.velocity = ((1 - _VELOCITY) * np.array(track.velocity) + _VELOCITY * newest).tolist()
        if not crowded:  # beside another face the colours are of both
            track.colours = ((1 - _NEWEST) * np.array(track.colours) + _NEWEST * colours).tolist()
        track.box, track.seen_s, track.shot = corners.tolist(), time_s, self._shot

    def _forget(self, time_s: float) -> None:
        kept = [track for track in self._tracks if time_s - track.seen_s <= REMEMBERED_S]
        self._tracks = sorted(kept, key=lambda track: track.seen_s)[-REMEMBERED_TRACKS:]

    def state(self) -> dict[str, Any]:
        """Plain values from which `restore` goes on."""
        return {"next": self._next, "shot": self._shot, "tracks": [asdict(track) for track in self._tracks]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the moment at which `state` was taken."""
        self._next, self._shot = state["next"], state["shot"]
        self._tracks = [Track(**values) for values in state["tracks"]]


def _nearby(track: Track, time_s: float, corners: np.ndarray, colours: np.ndarray) -> float:
    """How well a box continues a track in sight, 0 to 1; 0: not at all."""
    expected = track.expected(time_s)
    overlap = float(iou(expected, corners[None])[0])
    distance = _distance(expected, corners)
    if overlap == 0 and distance > FARTHEST:
        return 0.0
    closeness = max(0.0, 1 - distance / FARTHEST)
    alike = (likeness(np.array(track.colours), colours) - 0.6) / 0.4
    score = 0.4 * overlap + 0.25 * closeness + 0.35 * alike
    return score if score >= MIN_SCORE else 0.0


def _reachable(track: Track, time_s: float, corners: np.ndarray) -> bool:
    """Whether a face may have moved from where it was last seen to here: its side every third of a second."""
    return _distance(np.array(track.box), corners) <= FARTHEST + 3 * (time_s - track.seen_s)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between the centres in sides of the smaller face."""
    a, b = _centre_and_side(one), _centre_and_side(other)
    return float(np.hypot(*(a[:2] - b[:2])) / np.exp(min(a[2], b[2])))


def _centre_and_side(corners: np.ndarray) -> np.ndarray:
    """Centre x, y, and the log of the mean side."""
    left, top, right, bottom = corners
    return np.array([(left + right) / 2, (top + bottom) / 2, np.log(max((right - left + bottom - top) / 2, 1.0))])


def _crowded(corners: np.ndarray, i: int) -> bool:
    """Whether another face overlaps this one, grown to its hair and shoulders."""
    left, top, right, bottom = corners[i]
    side = (right - left + bottom - top) / 4
    around = np.array([left - side, top - side, right + side, bottom + side])
    return bool((iou(around, np.delete(corners, i, axis=0)) > 0.02).any())
