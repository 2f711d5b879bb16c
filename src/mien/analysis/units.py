"""What was seen of one track, video, folder of images or segment: seconds, shares, changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mien.analysis.baseline import Baseline, RestingFace, resting_face
from mien.analysis.faces import FaceTable
from mien.analysis.shares import LEAST_UNITS, ExpressionShare, block_seconds, shares
from mien.analysis.timing import by_source, changes, episodes, longest_gap


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionSummary:
    """The expressions of one track, one video, one folder of images, one segment, or of all.

    Amounts are seconds of presentation time for videos, added up over tracks, and faces for images.
    """

    kind: str  # "track", "video", "folder", "segment" or "all"
    source: str  # of the video or folder; "": a segment of several
    segment: tuple[tuple[str, Any], ...] = ()  # the names and values of its columns
    track: int | None = None
    files: int = 1
    frames: int  # or images, read
    without_face: int  # of these
    failed: int  # files that gave an error
    faces: int
    counted: int  # faces
    uncertain: int
    flagged: int
    first_s: float | None = None  # seen, in presentation time
    last_s: float | None = None
    duration_s: float | None = None  # of the examined frames
    seen_s: float | None = None
    not_seen_s: float | None = None  # the part of the duration in which nobody, or not this person, was seen
    counted_s: float | None = None
    uncertain_s: float | None = None
    flagged_s: float | None = None
    changes_per_minute: float | None = None  # between counted frames
    expressions: tuple[ExpressionShare, ...]
    resampled: str  # what the intervals resample; "": too little was seen for one
    resting: RestingFace | None = None  # of a track, with a baseline

    @property
    def amount(self) -> float:
        """What was counted: seconds, or faces."""
        return self.counted if self.counted_s is None else self.counted_s

    @property
    def uncertain_share(self) -> float | None:
        """Of the seconds or faces that were seen; None: none."""
        return self._of_seen(self.uncertain, self.uncertain_s)

    @property
    def flagged_share(self) -> float | None:
        """Of the seconds or faces that were seen; None: none."""
        return self._of_seen(self.flagged, self.flagged_s)

    def _of_seen(self, faces: int, seconds: float | None) -> float | None:
        part, seen = (faces, self.faces) if seconds is None else (seconds, self.seen_s or 0)
        return part / seen if seen > 0 else None

    def ranked(self) -> list[ExpressionShare]:
        """The expressions that were seen, most frequent first."""
        return sorted((one for one in self.expressions if one.amount > 0), key=lambda one: -one.amount)


def video_summary(
    faces: FaceTable,
    seconds: np.ndarray,
    *,
    track: int | None = None,
    rest: Baseline | None = None,
    duration_s: float | None = None,
) -> ExpressionSummary:
    """The rows of a video, or of one track of it, and the seconds that each stands for.

    `duration_s`: of the video, where these are not the rows of all its frames. Rows of several videos have no times
    of their own: no first, last and onset.
    """
    seen, counted = faces.seen, faces.counted
    blocks, length = time_blocks(faces)
    units = blocks[counted]
    enough = len(np.unique(units)) >= LEAST_UNITS
    one_video = len(set(faces.source.tolist())) == 1
    span = faces.time_s[seen] if one_video else np.zeros(0)
    onsets = np.array([rows[a] for rows, runs in person_episodes(faces) for a, _ in runs], dtype=np.int64)
    minutes = seconds[counted & (faces.track >= 0)].sum() / 60
    duration_s = _frame_seconds(faces, seconds, ~np.isnan(faces.time_s)) if duration_s is None else duration_s
    return ExpressionSummary(
        kind="video" if track is None else "track",
        source=str(faces.source[0]) if one_video else "",
        track=track,
        first_s=float(span.min()) if len(span) else None,
        last_s=float(span.max()) if len(span) else None,
        duration_s=duration_s,
        seen_s=float(seconds[seen].sum()),
        not_seen_s=max(0.0, duration_s - _frame_seconds(faces, seconds, seen)),
        counted_s=float(seconds[counted].sum()),
        uncertain_s=float(seconds[faces.uncertain].sum()),
        flagged_s=float(seconds[faces.flagged].sum()),
        changes_per_minute=float(_changes(faces, counted) / minutes) if minutes > 0 else None,
        expressions=tuple(
            replace(
                one,
                onset_s=_first(faces, onsets, i) if one_video else None,
                episodes=int((faces.expression[onsets] == i).sum()),
            )
            for i, one in enumerate(expression_shares(faces, seconds, blocks))
        ),
        resampled=f"blocks of {length:.2g} s" if enough else "",
        resting=None if rest is None or track is None else resting_face(rest, faces, seconds, blocks),
        **_counts(faces),
    )


def _first(faces: FaceTable, onsets: np.ndarray, label: int) -> float | None:
    times = faces.time_s[onsets][faces.expression[onsets] == label]
    return float(times.min()) if len(times) else None


def expression_shares(faces: FaceTable, weights: np.ndarray, units: np.ndarray) -> tuple[ExpressionShare, ...]:
    """What rows (N,) of these weights and units to resample show, with the mean of each probability."""
    counted, unflagged = faces.counted, faces.seen & ~faces.flagged
    total = float(weights[unflagged].sum())
    sums = weights[unflagged] @ faces.probabilities[unflagged]
    return tuple(
        replace(one, mean_probability=float(sums[i]) / total if total > 0 else None)
        for i, one in enumerate(
            shares(faces.expression[counted], weights[counted], units[counted], tuple(faces.labels))
        )
    )


def time_blocks(faces: FaceTable) -> tuple[np.ndarray, float]:
    """(N,) the block of time of each row of videos, and the seconds of a block."""
    length = _block_length(faces, faces.counted)
    times = np.nan_to_num(faces.time_s)
    blocks = np.floor(times / length if length > 0 else np.zeros(len(faces)))
    videos = np.unique(faces.source.astype(str), return_inverse=True)[1]
    return np.unique(np.stack([videos, blocks]), axis=1, return_inverse=True)[1].reshape(-1), length


def image_summary(faces: FaceTable, name: str, *, kind: str) -> ExpressionSummary:
    """Rows of images: each counted face once."""
    sources = faces.source[faces.counted]
    return ExpressionSummary(
        kind=kind,
        source=name,
        files=len(set(faces.source.tolist())),
        expressions=expression_shares(faces, np.ones(len(faces)), faces.source),
        resampled="files" if len(set(sources.tolist())) >= LEAST_UNITS else "",
        **_counts(faces),
    )


def _counts(faces: FaceTable) -> dict[str, Any]:
    failed = faces.error != ""
    read = {*zip(faces.source[~failed].tolist(), faces.frame[~failed].tolist(), strict=True)}
    return {
        "frames": len(read),
        "without_face": int((~failed & (faces.face < 0)).sum()),
        "failed": int(failed.sum()),
        "faces": int(faces.seen.sum()),
        "counted": int(faces.counted.sum()),
        "uncertain": int(faces.uncertain.sum()),
        "flagged": int(faces.flagged.sum()),
    }


def _frame_seconds(faces: FaceTable, seconds: np.ndarray, keep: np.ndarray) -> float:
    """The seconds of the frames that have one of the kept rows, each frame once."""
    rows = np.flatnonzero(keep)
    names = np.unique(faces.source[rows].astype(str), return_inverse=True)[1]
    first = np.unique(np.stack([names, faces.frame[rows]]), axis=1, return_index=True)[1] if len(rows) else rows
    return float(seconds[rows][first].sum())


def _per_person(faces: FaceTable, counted: np.ndarray) -> Iterator[np.ndarray]:
    """The counted rows of each track of each video in the order of time; faces without a track are left out."""
    for rows in by_source(faces, counted & (faces.track >= 0)):
        for track in np.unique(faces.track[rows]):
            of_track = rows[faces.track[rows] == track]
            yield of_track[np.argsort(faces.time_s[of_track], kind="stable")]


def _block_length(faces: FaceTable, counted: np.ndarray) -> float:
    """Of blocks that are about independent: as the most slowly changing track needs it."""
    tracks = list(_per_person(faces, counted)) or [
        rows[np.argsort(faces.time_s[rows], kind="stable")] for rows in by_source(faces, counted)
    ]
    lengths = [
        block_seconds(faces.time_s[rows], faces.expression[rows], classes=len(faces.labels)) for rows in tracks
    ]
    return max(lengths, default=0.0)


def _gap(faces: FaceTable, source: str) -> float:
    return longest_gap(np.unique(faces.time_s[(faces.source == source) & ~np.isnan(faces.time_s)]))


def person_episodes(faces: FaceTable) -> Iterator[tuple[np.ndarray, list[tuple[int, int]]]]:
    """The counted rows of each person in the order of time, and the (first, last) of each episode among them."""
    for rows in _per_person(faces, faces.counted):
        gap = _gap(faces, faces.source[rows[0]])
        yield rows, episodes(faces.expression[rows], faces.time_s[rows], gap_s=gap)


def _changes(faces: FaceTable, counted: np.ndarray) -> int:
    return sum(
        changes(faces.expression[rows], faces.time_s[rows], gap_s=_gap(faces, faces.source[rows[0]]))
        for rows in _per_person(faces, counted)
    )
