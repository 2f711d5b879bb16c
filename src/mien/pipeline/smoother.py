"""Frames in, the same frames out with smoothed scores, as soon as what follows them is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mien.results import Face, Scores, VideoFrame
from mien.tracking.smoothing import WINDOW_S, smooth_at

_Moment = tuple[float, dict[int, tuple[float, ...]]]  # seconds, track -> scores


class Smoother:
    """`wait`: False for a live source, whose frames are smoothed with those before them only."""

    def __init__(self, *, wait: bool = True, history: list[Any] | None = None) -> None:
        self._wait = wait
        self._moments: deque[_Moment] = deque((time_s, dict(map(tuple, faces))) for time_s, faces in history or [])
        self._pending: deque[VideoFrame] = deque()

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """One more frame; those that are complete now."""
        time_s = frame.time_s or 0.0
        self._moments.append((time_s, _scores_of(frame)))
        self._pending.append(frame)
        while self._pending and (not self._wait or (self._pending[0].time_s or 0.0) < time_s - WINDOW_S):
            yield self._smoothed(self._pending.popleft())

    def flush(self) -> Iterator[VideoFrame]:
        """The rest; nothing follows."""
        while self._pending:
            yield self._smoothed(self._pending.popleft())

    def history(self, until_s: float) -> list[Any]:
        """What later frames need of those up to this one, as plain values."""
        near = (moment for moment in self._moments if until_s - WINDOW_S <= moment[0] <= until_s)
        return [[time_s, [[track, list(values)] for track, values in faces.items()]] for time_s, faces in near]

    def _smoothed(self, frame: VideoFrame) -> VideoFrame:
        time_s = frame.time_s or 0.0
        while self._moments[0][0] < time_s - WINDOW_S:
            self._moments.popleft()
        return replace(frame, faces=tuple(self._face(face, time_s) for face in frame.faces))

    def _face(self, face: Face, time_s: float) -> Face:
        if face.expression is None or face.track is None:
            return face
        near = [(when, faces[face.track]) for when, faces in self._moments if face.track in faces]
        values = smooth_at(time_s, [when for when, _ in near], np.array([scores for _, scores in near]))
        scores = Scores(face.expression.labels, tuple(values.tolist()), face.expression.confidence_threshold)
        return replace(face, smoothed=scores)


def _scores_of(frame: VideoFrame) -> dict[int, tuple[float, ...]]:
    return {
        face.track: face.expression.values
        for face in frame.faces
        if face.track is not None and face.expression is not None
    }
