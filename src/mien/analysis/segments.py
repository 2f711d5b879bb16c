"""Segments: parts of videos and groups of files that the user names in a table, each summed up as one unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mien.analysis.faces import FaceTable
from mien.analysis.timing import by_source
from mien.analysis.units import ExpressionSummary, image_summary, video_summary
from mien.errors import InputError
from mien.pipeline.read import read_plain
from mien.wording import counted

COLUMNS = ("source", "track", "from_s", "to_s")  # of the table of segments; others name the units
_NOBODY = -2  # where a track of no face would be
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One row of the table of segments."""

    row: int  # counted from 1, without the heading
    source: str  # as in the prediction table, or the end or the folder of it
    track: int | None
    from_s: float
    to_s: float
    values: tuple[tuple[str, Any], ...]  # of the other columns

    @property
    def of_video(self) -> bool:
        """Whether it names a track or a time."""
        return self.track is not None or self.from_s > -np.inf or self.to_s < np.inf


def read_segments(table: Any, *, taken: frozenset[str]) -> tuple[Segment, ...]:
    """The rows of a table of segments: a path, an Arrow table or a pandas data frame.

    `taken`: names of columns of the result, which no column may have. Raises `InputError`.
    """
    rows = read_plain(table).to_pylist()
    if not rows:
        raise InputError("the table of segments has no rows")
    names = [name.strip() for name in rows[0]]
    if "source" not in names:
        raise InputError(f"the table of segments has no column source, only {', '.join(names)}")
    if clash := sorted({*names} & taken - {*COLUMNS}):
        raise InputError(f"the summary has a column {clash[0]} of its own; give that of the segments another name")
    return tuple(
        _segment(number, dict(zip(names, row.values(), strict=True))) for number, row in enumerate(rows, 1)
    )


def _segment(number: int, row: dict[str, Any]) -> Segment:
    source = str(row["source"] or "").strip()
    if not source:
        raise InputError(f"row {number} of the segments has no source")
    track = row.get("track")
    if track is not None and not re.fullmatch(r"\d+(\.0*)?", str(track)):
        raise InputError(f"row {number} of the segments: track is {track!r}; give its number, or leave it empty")
    begin, end = _seconds(row.get("from_s"), number, "from_s"), _seconds(row.get("to_s"), number, "to_s")
    begin, end = -np.inf if begin is None else begin, np.inf if end is None else end
    if begin >= end:
        raise InputError(f"row {number} of the segments ends at {end:g} s, not after its begin at {begin:g} s")
    return Segment(
        row=number,
        source=source,
        track=None if track is None else int(float(track)),
        from_s=begin,
        to_s=end,
        values=tuple((name, _plain(value)) for name, value in row.items() if name not in COLUMNS),
    )


def _plain(value: Any) -> Any:
    """What CSV and JSON hold: times and dates of a workbook as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _seconds(value: Any, number: int, name: str) -> float | None:
    if value is None or str(value).strip() in ("", "nan"):
        return None
    match = _CLOCK.fullmatch(str(value).strip())
    if match is None:
        raise InputError(f"row {number} of the segments: {name} is {value!r}; give seconds, M:SS or H:MM:SS")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds.replace(",", "."))


def summarize_segments(
    faces: FaceTable, seconds: np.ndarray, segments: tuple[Segment, ...]
) -> tuple[tuple[ExpressionSummary, ...], tuple[str, ...]]:
    """One unit for all segments of the same values, in the order of the table; and notes.

    Each row counts for the time that it shares with the segments of a unit, once where these overlap. Raises
    `InputError` for segments that fit nothing in the table.
    """
    by_name = _sources_by_name(faces)
    units: dict[tuple[tuple[str, Any], ...], dict[str, list[Segment]]] = {}
    for one in segments:
        of_unit = units.setdefault(one.values or _own_values(one), {})
        for source in _matching(one, by_name):
            of_unit.setdefault(source, []).append(one)
    rows_of = {str(faces.source[rows[0]]): rows for rows in by_source(faces, np.ones(len(faces), dtype=bool))}
    result = tuple(_unit(faces, seconds, values, of_unit, rows_of) for values, of_unit in units.items())
    left_out = len({*rows_of} - {source for of_unit in units.values() for source in of_unit})
    note = f"{counted(left_out, 'file')} of the table {'is' if left_out == 1 else 'are'} in no segment"
    return result, (note,) if left_out else ()


def _own_values(one: Segment) -> tuple[tuple[str, Any], ...]:
    """What names the unit of a segment that has no columns of the user's: a row each."""
    return (("segment", one.row),)


def _sources_by_name(faces: FaceTable) -> dict[str, list[str]]:
    """The sources that each full path, each end of a path and each folder names."""
    names: dict[str, list[str]] = {}
    for source in dict.fromkeys(faces.source.tolist()):
        parts = source.split("/")
        keys = {source, *("/".join(parts[i:]) for i in range(len(parts)))}
        keys |= {"/".join(parts[:i]) + "/" for i in range(1, len(parts))}
        for key in keys - {"", "/"}:
            names.setdefault(key, []).append(source)
    return names


def _matching(one: Segment, by_name: dict[str, list[str]]) -> list[str]:
    """The source of a segment, or those below the folder that it names. Raises `InputError`."""
    exact = by_name.get(one.source, [])
    if one.source in exact:
        return [one.source]
    below = by_name.get(one.source.rstrip("/") + "/", [])
    if len(exact) + (len(below) > 0) > 1:
        raise InputError(f"row {one.row} of the segments: {one.source!r} is {exact[0]} and also "
                         f"{(exact + below)[1]}; give the path as in the table")  # fmt: skip
    if not exact and not below:
        raise InputError(
            f"row {one.row} of the segments: the table has no source {one.source!r}; predict it, or take "
            "the row out"
        )
    return exact or below


def _unit(
    faces: FaceTable,
    seconds: np.ndarray,
    values: tuple[tuple[str, Any], ...],
    of_unit: dict[str, list[Segment]],
    rows_of: dict[str, np.ndarray],
) -> ExpressionSummary:
    all_rows = np.concatenate([rows_of[source] for source in of_unit])
    videos = bool(faces.timed[all_rows[0]])
    if not (faces.timed[all_rows] == videos).all():
        raise InputError(f"the segment {_spoken(values)} has images and videos; give them different names")
    if not videos:
        if wrong := [one for ones in of_unit.values() for one in ones if one.of_video]:
            raise InputError(f"row {wrong[0].row} of the segments: {wrong[0].source!r} is an image; leave track, "
                             "from_s and to_s empty")  # fmt: skip
        source = next(iter(of_unit)) if len(of_unit) == 1 else ""
        return replace(image_summary(faces.take(all_rows), source, kind="segment"), segment=values)
    parts = [_clipped(faces, seconds, rows_of[source], ones) for source, ones in of_unit.items()]
    rows, blank = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    shown, times = (np.concatenate([part[i] for part in parts]) for i in (2, 3))
    kept = faces.take(rows)
    kept = replace(
        kept,
        time_s=times,
        face=np.where(blank, -1, kept.face),
        track=np.where(blank, -1, kept.track),
        expression=np.where(blank, -1, kept.expression),
    )
    return replace(video_summary(kept, shown), kind="segment", segment=values, files=len(of_unit))


def _clipped(
    faces: FaceTable, seconds: np.ndarray, rows: np.ndarray, ones: list[Segment]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of one video: the rows in its segments, which of them are a frame without the person, seconds and times.

    A frame in which only others are seen is kept once, as one without a face.
    """
    begin, wide, frame = faces.time_s[rows], np.nan_to_num(seconds[rows]), faces.frame[rows]
    shown, starts, inside = _overlap(begin, wide, ones)
    person = np.where(faces.face[rows] >= 0, faces.track[rows], _NOBODY)
    kept = faces.error[rows] != ""
    if not kept.any() and not inside.any():
        raise InputError(
            f"row {ones[0].row} of the segments: the table has no frame of {faces.source[rows[0]]} then; it has "
            f"those from {begin.min():g} to {begin.max():g} s"
        )
    for one in np.unique(person).tolist():
        at = np.flatnonzero(person == one)
        of_person = [segment for segment in ones if segment.track in (None, one) or one == _NOBODY]
        shown_here, starts_here, hit = _overlap(begin[at], wide[at], of_person)
        shown[at[hit]], starts[at[hit]], kept[at[hit]] = shown_here[hit], starts_here[hit], True
    others = np.flatnonzero(inside & ~kept & ~np.isin(frame, frame[kept]))
    blank = np.zeros(len(rows), dtype=bool)
    blank[others[np.unique(frame[others], return_index=True)[1]]] = True
    kept |= blank
    return rows[kept], blank[kept], shown[kept], starts[kept]


def _overlap(begin: np.ndarray, wide: np.ndarray, ones: list[Segment]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of frames (N,): the seconds that they share with segments, each once; when that begins; whether they do."""
    shown, starts, inside = np.zeros(len(begin)), begin.copy(), np.zeros(len(begin), dtype=bool)
    for low, high in _merged(ones):
        hit = (begin + wide > low) & (begin < high) | (wide == 0) & (begin == low)
        starts = np.where(hit & ~inside, np.maximum(begin, low), starts)
        shown += np.where(hit, np.minimum(begin + wide, high) - np.maximum(begin, low), 0)
        inside |= hit
    return shown, starts, inside


def _merged(ones: list[Segment]) -> Iterator[tuple[float, float]]:
    """Rising stretches without an overlap."""
    spans = sorted((one.from_s, one.to_s) for one in ones)
    while spans:
        low, high = spans.pop(0)
        while spans and spans[0][0] <= high:
            high = max(high, spans.pop(0)[1])
        yield low, high


def _spoken(values: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values)
