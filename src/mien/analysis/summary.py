"""How long, how often, by whom: the expressions of a prediction table per track, video and folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mien.analysis.baseline import Baseline, RestingFace, check_baseline, parse_baseline, resting_face
from mien.analysis.faces import FaceTable, read_faces
from mien.analysis.shares import LEAST_UNITS, ExpressionShare, block_seconds, shares
from mien.analysis.timing import by_source, changes, longest_gap, row_seconds
from mien.arguments import checked

COUNTED = "Counted: certain predictions of faces without quality flags."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionSummary:
    """The expressions of one track, one video, one folder of images, or of all.

    Amounts are seconds of presentation time for videos, added up over tracks, and faces for images.
    """

    kind: str  # "track", "video", "folder" or "all"
    source: str  # of the video or folder
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
    seen_s: float | None = None
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

    def ranked(self) -> list[ExpressionShare]:
        """The expressions that were seen, most frequent first."""
        return sorted((one for one in self.expressions if one.amount > 0), key=lambda one: -one.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A summary of a prediction table."""

    labels: tuple[str, ...]
    tracks: tuple[ExpressionSummary, ...]
    videos: tuple[ExpressionSummary, ...]
    folders: tuple[ExpressionSummary, ...]
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[ExpressionSummary]:
        """Every unit: videos each with their tracks, then folders."""
        for video in self.videos:
            yield video
            yield from (track for track in self.tracks if track.source == video.source)
        yield from self.folders

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def rows(self) -> list[dict[str, Any]]:
        """One row per unit and expression, for a table."""
        rows = []
        for unit in self:
            values = {name: _rounded(value) for name, value in asdict(unit).items() if name not in _NESTED}
            changes = {one.expression: one for one in unit.resting.scores} if unit.resting else {}
            for one in unit.expressions:
                change = asdict(changes[one.expression]) if one.expression in changes else {}
                row = values | {name: _rounded(value) for name, value in asdict(one).items()}
                if any(track.resting for track in self.tracks):
                    row |= {f"rest_{name}": _rounded(change.get(name)) for name in _OF_CHANGE}
                rows.append(row)
        return rows


_NESTED = ("expressions", "resting")
_OF_CHANGE = ("score", "rest", "change", "low", "high")


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


@checked
def summarize(table: Any, *, raw: bool = False, baseline: str | Sequence[str] = ()) -> TableSummary:
    """Seconds, shares and changes per track and video; counts and shares per folder of images.

    `table`: what `mien predict` wrote (a path), an Arrow table or a pandas data frame. Only certain predictions
    of faces without quality flags are counted; what that leaves out is in the result. Frames are weighted by the
    time for which they are shown. `raw`: each frame's own expression instead of the smoothed one. `baseline`:
    "auto" or "TRACK:FROM-TO" in seconds: the scores of each track against its own stretches at rest.
    Raises `InputError` for what is no prediction table, `OptionError` for a baseline that cannot be.
    """
    faces = read_faces(table, raw=raw)
    rest = parse_baseline([baseline] if isinstance(baseline, str) else baseline)
    if rest is not None:
        check_baseline(rest, faces)
    seconds = row_seconds(faces)
    videos, tracks = [], []
    for rows in by_source(faces, faces.timed):
        one, of_rows = faces.take(rows), seconds[rows]
        videos.append(video_summary(one, of_rows))
        tracks += [
            video_summary(one.take(one.track == track), of_rows[one.track == track], track=int(track), rest=rest)
            for track in np.unique(one.track[one.track >= 0])
        ]
    images = faces.take(~faces.timed)
    folders = [
        image_summary(images.take(images.folder == folder), folder, kind="folder")
        for folder in sorted(set(images.folder.tolist()))
    ]
    return TableSummary(
        labels=tuple(map(str, faces.labels)),
        tracks=tuple(tracks),
        videos=tuple(videos),
        folders=tuple(folders),
        notes=faces.notes,
    )


def video_summary(
    faces: FaceTable, seconds: np.ndarray, *, track: int | None = None, rest: Baseline | None = None
) -> ExpressionSummary:
    """The rows of one video, or of one track of it, and the seconds that each stands for."""
    seen, counted = faces.seen, faces.counted
    blocks, length = time_blocks(faces)
    units = blocks[counted]
    enough = len(np.unique(units)) >= LEAST_UNITS
    span = faces.time_s[seen]
    minutes = seconds[counted & (faces.track >= 0)].sum() / 60
    return ExpressionSummary(
        kind="video" if track is None else "track",
        source=str(faces.source[0]),
        track=track,
        first_s=float(span.min()) if len(span) else None,
        last_s=float(span.max()) if len(span) else None,
        seen_s=float(seconds[seen].sum()),
        counted_s=float(seconds[counted].sum()),
        uncertain_s=float(seconds[faces.uncertain].sum()),
        flagged_s=float(seconds[faces.flagged].sum()),
        changes_per_minute=_changes(faces, counted) / minutes if minutes > 0 else None,
        expressions=shares(faces.expression[counted], seconds[counted], units, tuple(faces.labels)),
        resampled=f"blocks of {length:.2g} s" if enough else "",
        resting=None if rest is None or track is None else resting_face(rest, faces, seconds, blocks),
        **_counts(faces),
    )


def time_blocks(faces: FaceTable) -> tuple[np.ndarray, float]:
    """(N,) the block of time of each row of a video, and the seconds of a block."""
    length = _block_length(faces, faces.counted)
    times = np.nan_to_num(faces.time_s)
    return np.floor(times / length if length > 0 else np.zeros(len(faces))).astype(np.int64), length


def image_summary(faces: FaceTable, name: str, *, kind: str) -> ExpressionSummary:
    """Rows of images: each counted face once."""
    counted = faces.counted
    sources = faces.source[counted]
    return ExpressionSummary(
        kind=kind,
        source=name,
        files=len(set(faces.source.tolist())),
        expressions=shares(faces.expression[counted], np.ones(len(sources)), sources, tuple(faces.labels)),
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


def _per_track(faces: FaceTable, counted: np.ndarray) -> Iterator[np.ndarray]:
    """The counted rows of each track in the order of time; faces without a track are left out."""
    for track in np.unique(faces.track[counted & (faces.track >= 0)]):
        rows = np.flatnonzero(counted & (faces.track == track))
        yield rows[np.argsort(faces.time_s[rows], kind="stable")]


def _block_length(faces: FaceTable, counted: np.ndarray) -> float:
    """Of blocks that are about independent: as the most slowly changing track needs it."""
    together = np.flatnonzero(counted)
    tracks = list(_per_track(faces, counted)) or [together[np.argsort(faces.time_s[together], kind="stable")]]
    lengths = [
        block_seconds(faces.time_s[rows], faces.expression[rows], classes=len(faces.labels)) for rows in tracks
    ]
    return max(lengths, default=0.0)


def _changes(faces: FaceTable, counted: np.ndarray) -> int:
    gap = longest_gap(np.unique(faces.time_s))
    return sum(
        changes(faces.expression[rows], faces.time_s[rows], gap_s=gap) for rows in _per_track(faces, counted)
    )
