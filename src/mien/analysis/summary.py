"""How long, how often, by whom: the expressions of a prediction table per track, video and folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mien.analysis.baseline import check_baseline, parse_baseline
from mien.analysis.faces import read_faces
from mien.analysis.segments import read_segments, summarize_segments
from mien.analysis.shares import ExpressionShare
from mien.analysis.timing import by_source, row_seconds
from mien.analysis.units import ExpressionSummary, image_summary, video_summary
from mien.arguments import checked
from mien.errors import OptionError

COUNTED = "Counted: certain predictions of faces without quality flags."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A summary of a prediction table."""

    labels: tuple[str, ...]
    tracks: tuple[ExpressionSummary, ...]
    videos: tuple[ExpressionSummary, ...]
    folders: tuple[ExpressionSummary, ...]
    segments: tuple[ExpressionSummary, ...] = ()  # where there are any, there are no other units
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[ExpressionSummary]:
        """Every unit: videos each with their tracks, then folders; or segments."""
        for video in self.videos:
            yield video
            yield from (track for track in self.tracks if track.source == video.source)
        yield from self.folders
        yield from self.segments

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(self)
        for unit in (*values["tracks"], *values["videos"], *values["folders"], *values["segments"]):
            unit["segment"] = dict(unit["segment"])
        return values

    def rows(self, *, wide: bool = False) -> list[dict[str, Any]]:
        """One row per unit and expression, for a table; `wide`: one per unit, a column per value and expression."""
        rows: list[dict[str, Any]] = []
        rest = any(track.resting for track in self.tracks)
        for unit in self:
            values = dict(unit.segment) | {
                name: _rounded(value) for name, value in asdict(unit).items() if name not in _NESTED
            }
            changes = {one.expression: one for one in unit.resting.scores} if unit.resting else {}
            of_unit = []
            for one in unit.expressions:
                change = asdict(changes[one.expression]) if one.expression in changes else {}
                of_unit.append({name: _rounded(value) for name, value in asdict(one).items()})
                if rest:
                    of_unit[-1] |= {f"rest_{name}": _rounded(change.get(name)) for name in _OF_CHANGE}
            if wide:
                names = [name for name in of_unit[0] if name != "expression"]
                rows.append(
                    values | {f"{name}_{one['expression']}": one[name] for name in names for one in of_unit}
                )
            else:
                rows += [values | one for one in of_unit]
        return rows


_NESTED = ("expressions", "resting", "segment")
_OF_CHANGE = ("score", "rest", "change", "low", "high")
_COLUMNS = frozenset(field.name for kind in (ExpressionSummary, ExpressionShare) for field in fields(kind))


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


@checked
def summarize(
    table: Any, *, raw: bool = False, baseline: str | Sequence[str] = (), segments: Any = None
) -> TableSummary:
    """Seconds, shares and changes per track and video; counts and shares per folder of images.

    `table`: what `mien predict` wrote (a path), an Arrow table or a pandas data frame. Only certain predictions
    of faces without quality flags are counted; what that leaves out is in the result. Frames are weighted by the
    time for which they are shown. `raw`: each frame's own expression instead of the smoothed one. `baseline`:
    "auto" or "TRACK:FROM-TO" in seconds: the scores of each track against its own stretches at rest. `segments`: a
    table (as `table`) with a column source, any of track, from_s and to_s, and columns of your own, such as
    participant and condition: one unit for all rows with the same values in these, instead of tracks, videos and
    folders. Raises `InputError` for what is no prediction table, and for segments that fit nothing in it;
    `OptionError` for a baseline that cannot be.
    """
    faces = read_faces(table, raw=raw)
    rest = parse_baseline([baseline] if isinstance(baseline, str) else baseline)
    if rest is not None:
        check_baseline(rest, faces)
    seconds = row_seconds(faces)
    if segments is not None:
        if rest is not None:
            raise OptionError("segments and a baseline cannot be combined; name the stretch at rest as a segment")
        units, notes = summarize_segments(faces, seconds, read_segments(segments, taken=_COLUMNS))
        return TableSummary(
            labels=tuple(map(str, faces.labels)), tracks=(), videos=(), folders=(), segments=units,
            notes=(*faces.notes, *notes),
        )  # fmt: skip
    videos, tracks = [], []
    for rows in by_source(faces, faces.timed):
        one, of_rows = faces.take(rows), seconds[rows]
        videos.append(video_summary(one, of_rows))
        tracks += [
            video_summary(
                one.take(one.track == track),
                of_rows[one.track == track],
                track=int(track),
                rest=rest,
                duration_s=videos[-1].duration_s,
            )
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
