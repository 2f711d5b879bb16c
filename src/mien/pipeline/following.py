"""Faces between two key frames: followed by their landmarks instead of detected, recognised where they change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mien.faces import Detection, Landmarker
from mien.faces.landmarks import Landmarks68Onnx
from mien.faces.upright import UprightMeasure
from mien.geometry import SIDES, Box, invert, quarter_turn, transform
from mien.media.frames import Frame
from mien.pipeline.reuse import MOST_CHANGE, agree, change, moved, thumbnail
from mien.pipeline.turns import LocatedFace
from mien.results import UP_UNKNOWN_BELOW, Face


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face with the number of its track.

    `detected`: in this frame, not followed from another. `face`: recognised; None: still to be. `thumbnail`: of a
    key frame's face, how it looks (`mien.pipeline.reuse`) in the frame whose scores it has.
    """

    track: int
    located: LocatedFace
    detected: bool = True
    face: Face | None = None
    thumbnail: np.ndarray | None = None


class Follower:
    """Locates the faces of the frames between two key frames in which they were detected.

    `reuse_scores`: where they look as in one of these, they may have its scores.
    """

    def __init__(self, landmarker: Landmarker, measure: UprightMeasure, *, reuse_scores: bool) -> None:
        self._landmarker, self._measure, self._reuse = landmarker, measure, reuse_scores

    def between(
        self, frames: Sequence[Frame], first: Sequence[TrackedFace], last: Sequence[TrackedFace], last_s: float
    ) -> list[list[TrackedFace]]:
        """The faces of `frames[1:]`, a list for each.

        `first`: those of `frames[0]`; `last`: those of the key frame at `last_s` after these frames; none where a
        shot ends between. A face of both is interpolated, and where it looks as in neither of them refined. A face
        of one is followed as long as the detector knows a face there.
        """
        faces: list[list[TrackedFace]] = [[] for _ in frames]
        pairs = _pairs(first, last)
        self._interpolate(frames, pairs, last_s, faces)
        both = {a.track for a, _ in pairs}
        indices = range(1, len(frames))
        for face in first:
            if face.track not in both:
                self._follow(frames, indices, face, faces)
        for face in last:
            if face.track not in both:
                self._follow(frames, reversed(indices), face, faces)
        return faces[1:]

    def _interpolate(
        self,
        frames: Sequence[Frame],
        pairs: Sequence[tuple[TrackedFace, TrackedFace]],
        last_s: float,
        faces: list[list[TrackedFace]],
    ) -> None:
        begin_s = frames[0].time_s
        guesses = []
        for i, frame in enumerate(frames[1:], 1):
            share = (frame.time_s - begin_s) / max(last_s - begin_s, 1e-9)
            for a, b in pairs:
                guess = _mix(a.located, b.located, share)
                source = _alike(thumbnail(frame.image, guess), a, b)
                if source is None:
                    guesses.append((i, a.track, guess))
                else:
                    reused = source.face if self._reuse and _agree(a, b, ties=True) else None
                    known = None if reused is None else moved(reused, guess)
                    faces[i].append(TrackedFace(a.track, guess, detected=False, face=known))
        located = self._refined([(frames[i].image, guess) for i, _, guess in guesses])
        for (i, track, _), face in zip(guesses, located, strict=True):
            faces[i].append(TrackedFace(track, face, detected=False))

    def _follow(
        self, frames: Sequence[Frame], indices: Iterable[int], start: TrackedFace, faces: list[list[TrackedFace]]
    ) -> None:
        face = start.located
        for i in indices:
            (face,) = self._refined([(frames[i].image, face)])
            image = frames[i].image
            rolls = self._measure.rolls(image, [face.detection.box])
            margin = float(self._measure.margins(image, rolls, face.landmarks[None])[0])
            if margin < UP_UNKNOWN_BELOW or any(_same(face, other.located) for other in faces[i]):
                return
            face = replace(face, margin=margin)
            faces[i].append(TrackedFace(start.track, face, detected=False))

    def _refined(self, guesses: Sequence[tuple[np.ndarray, LocatedFace]]) -> list[LocatedFace]:
        """Each face where it is in its image, from where it should be."""
        if not guesses:
            return []
        images = [np.rot90(image, face.turns) if face.turns else image for image, face in guesses]
        before = np.stack([face.points for _, face in guesses])
        if isinstance(self._landmarker, Landmarks68Onnx):
            points = self._landmarker.refine(images, before)
        else:
            points = np.concatenate(
                [self._landmarker.locate(np.ascontiguousarray(image), [_around(face)])
                 for image, face in zip(images, before, strict=True)]
            )  # fmt: skip
        return [_moved(image, face, now) for (image, face), now in zip(guesses, points, strict=True)]


def taken_over(
    middle: Sequence[TrackedFace], first: Sequence[TrackedFace], last: Sequence[TrackedFace]
) -> list[TrackedFace]:
    """The faces of a key frame, with scores where they look as in one of two other key frames that agree.

    `first`, `last`: the faces of these, recognised.
    """
    around = {a.track: (a, b) for a, b in _pairs(first, last) if _agree(a, b, ties=False)}
    return [_with_scores_of(face, *around[face.track]) if face.track in around else face for face in middle]


def _with_scores_of(face: TrackedFace, a: TrackedFace, b: TrackedFace) -> TrackedFace:
    """The face of a key frame with the scores of the one of two that it looks like, if it does."""
    source = None if face.thumbnail is None else _alike(face.thumbnail, a, b)
    if source is None or source.face is None or source.located.turns != face.located.turns:
        return face
    known = replace(moved(source.face, face.located), detection=face.located.detection.score)
    return replace(face, face=known, thumbnail=source.thumbnail)


def _pairs(first: Sequence[TrackedFace], last: Sequence[TrackedFace]) -> list[tuple[TrackedFace, TrackedFace]]:
    """The faces of both, the same way up."""
    after = {face.track: face for face in last}
    pairs = [(face, after[face.track]) for face in first if face.track in after]
    return [(a, b) for a, b in pairs if a.located.turns == b.located.turns]


def _agree(a: TrackedFace, b: TrackedFace, *, ties: bool) -> bool:
    return a.face is not None and b.face is not None and agree(a.face, b.face, ties=ties)


def _alike(now: np.ndarray, a: TrackedFace, b: TrackedFace) -> TrackedFace | None:
    """The one of two faces that a thumbnail looks like, if it does."""
    if a.thumbnail is None or b.thumbnail is None:
        return None
    changes = change(a.thumbnail, now), change(b.thumbnail, now)
    if min(changes) >= MOST_CHANGE:
        return None
    return a if changes[0] <= changes[1] else b


def _mix(a: LocatedFace, b: LocatedFace, share: float) -> LocatedFace:
    corners = [
        (1 - share) * getattr(a.detection.box, side) + share * getattr(b.detection.box, side) for side in SIDES
    ]
    score = (1 - share) * a.detection.score + share * b.detection.score
    return LocatedFace(
        Detection(Box(*corners), score),
        a.turns,
        (1 - share) * a.points + share * b.points,
        (1 - share) * a.landmarks + share * b.landmarks,
        (1 - share) * a.margin + share * b.margin,
    )


def _moved(image: np.ndarray, guess: LocatedFace, points: np.ndarray) -> LocatedFace:
    """The guess with these points (in the rotated image); its box moves with them."""
    height, width = image.shape[:2]
    landmarks = transform(invert(quarter_turn(guess.turns, width, height)), points) if guess.turns else points
    dx, dy = (landmarks.mean(axis=0) - guess.landmarks.mean(axis=0)).tolist()
    box = guess.detection.box
    box = Box(box.left + dx, box.top + dy, box.right + dx, box.bottom + dy).clipped(width, height)
    return replace(guess, detection=replace(guess.detection, box=box), points=points, landmarks=landmarks)


def _around(points: np.ndarray) -> Box:
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _same(one: LocatedFace, other: LocatedFace) -> bool:
    """Whether both have landed on one face: their centres are less than half a face apart."""
    side = max(one.detection.box.width, other.detection.box.width, 1.0)
    return bool(np.hypot(*(one.landmarks.mean(axis=0) - other.landmarks.mean(axis=0))) < 0.4 * side)
