"""Where faces are covered in an anonymised video: also in frames in which a face was lost for a while."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.geometry import Box

HOLD_S = 0.5  # before the first and after the last detection of a track, and at both ends of a longer gap
GAP_S = 2.0  # a gap in a track up to here is covered all along
_FRAMES = 2  # a face is held for so many frames at least, however far apart they are
_GROWTH = 1.0  # of the sides of a held box, per second


class VideoCover:
    """The boxes to cover in each examined frame of a video.

    `frame_times`: seconds of the examined frames, ascending. `times` (N,), `tracks` (N,) int, negative
    where there is no track, and `boxes` (N, 4) left, top, right, bottom: of every detected face.

    Beside the faces of a frame these are, for each track that is missing in it, the box between the detections
    before and after, or that of the nearest detection, the larger the longer it is ago.
    """

    def __init__(
        self, frame_times: Sequence[float], times: np.ndarray, tracks: np.ndarray, boxes: np.ndarray
    ) -> None:
        between_s = float(np.median(np.diff(frame_times))) if len(frame_times) > 1 else 0.0
        self._hold_s = max(HOLD_S, _FRAMES * between_s) + 1e-6
        self._gap_s = max(GAP_S, 2 * self._hold_s)
        self._untracked = times[tracks < 0], boxes[tracks < 0]
        known = [tracks == number for number in np.unique(tracks[tracks >= 0])]
        self._of_track = [(times[mine], boxes[mine]) for mine in known]

    def boxes(self, time_s: float) -> list[Box]:
        """In the frame at this time."""
        times, boxes = self._untracked
        result = [Box(*box) for box in boxes[times == time_s].tolist()]
        for times, boxes in self._of_track:
            if (box := self._of_one(times, boxes, time_s)) is not None:
                result.append(box)
        return result

    def _of_one(self, times: np.ndarray, boxes: np.ndarray, time_s: float) -> Box | None:
        after = int(np.searchsorted(times, time_s))
        if after < len(times) and times[after] == time_s:
            return Box(*boxes[after].tolist())
        if 0 < after < len(times) and times[after] - times[after - 1] <= self._gap_s:
            ends = times[after - 1 : after + 1]
            share = (time_s - ends[0]) / (ends[1] - ends[0])
            between = boxes[after - 1] * (1 - share) + boxes[after] * share
            return Box(*between.tolist()).grown(1 + _GROWTH * float(np.abs(ends - time_s).min()))
        near = [i for i in (after - 1, after) if 0 <= i < len(times)]
        nearest = min(near, key=lambda i: abs(times[i] - time_s))
        away_s = abs(float(times[nearest]) - time_s)
        if away_s > self._hold_s:
            return None
        return Box(*boxes[nearest].tolist()).grown(1 + _GROWTH * away_s)
