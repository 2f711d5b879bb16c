"""Everything that a report of a prediction table shows, as values; `to_html` is the page."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.analysis.faces import FaceTable, read_faces
from mien.analysis.gallery import Gallery, gallery
from mien.analysis.groups import Agreement, Difference, agreement, clustered, difference, group_names, overall
from mien.analysis.series import TrackSeries, cuts, frame_ends, track_series
from mien.analysis.summary import TableSummary, summarize
from mien.analysis.timing import by_source, frame_times, row_seconds
from mien.analysis.units import ExpressionSummary
from mien.arguments import checked
from mien.errors import OptionError
from mien.results import FLAGS

FACES = 12  # of each expression
MOST_VIDEOS, MOST_TRACKS = 20, 12  # with a timeline
MOST_FOLDERS = 24  # that are groups unless asked for
_STEPS = 500  # of a timeline


@dataclass(frozen=True, eq=False)
class Part:
    """The images of a table, or its videos."""

    kind: str  # "images" or "videos"
    total: ExpressionSummary
    grouped_by: str = ""
    groups: tuple[ExpressionSummary, ...] = ()
    uncounted: tuple[str, ...] = ()  # groups in which no face was counted
    differences: tuple[Difference, ...] = ()  # of two groups, or of each against all others
    folders_left_out: int = 0  # of images, where they are too many to be groups unless asked for


@dataclass(frozen=True, eq=False)
class Timeline:
    """The tracks of one video that are seen longest."""

    source: str
    begin_s: float
    end_s: float
    tracks: tuple[TrackSeries, ...]
    summaries: tuple[ExpressionSummary, ...]  # of the same tracks
    omitted: int
    cuts: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class TableComparison:
    """The first table against a second one."""

    second: str
    differences: tuple[Difference, ...]  # images and videos apart
    agreement: Agreement | None
    labels: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Report:
    """A report of a prediction table."""

    title: str
    settings: dict[str, str]  # how the table was made, where it says so
    labels: tuple[str, ...]
    summary: TableSummary
    parts: tuple[Part, ...]
    timelines: tuple[Timeline, ...]
    gallery: Gallery
    flags: tuple[tuple[str, int], ...]  # faces with each quality flag
    without_face: tuple[str, ...]  # images; videos in which no frame has a face
    unread: tuple[tuple[str, str], ...]  # source and reason
    comparison: TableComparison | None = None
    cluster: str = ""  # the column whose values are resampled together; "": files, or blocks of time

    def to_html(self) -> str:
        """One self-contained page."""
        from mien.analysis.html import render_report

        return render_report(self)


@checked
def report(
    table: Any,
    second: Any = None,
    *,
    group: str = "",
    cluster: str = "",
    faces: int = FACES,
    most_confident: bool = False,
    raw: bool = False,
    title: str = "",
) -> Report:
    """A report of a prediction table (`mien.summarize` says what may be given), or of two compared.

    `group`: "folder", "source" or a column of the table by which shares are compared; by default the folders of
    images. `cluster`: a column of what is resampled together, such as participants, instead of files. `faces`: on
    the contact sheet of each expression, `most_confident` or drawn at random; 0 leaves faces out of the page.
    Raises `InputError`, and `OptionError` for a column that is not there.
    """
    if faces < 0:
        raise OptionError(f"faces is {faces}; give 0 for none, or how many of each expression")
    rows = read_faces(table, raw=raw)
    rows = clustered(rows, cluster) if cluster else rows
    beside = Path(table).parent if isinstance(table, str | os.PathLike) else None
    name = title or rows.name or "predictions"
    seconds = row_seconds(rows)
    return Report(
        title=name,
        settings=_settings(table),
        labels=tuple(map(str, rows.labels)),
        summary=summarize(rows),
        parts=tuple(_part(rows, seconds, timed, group) for timed in (True, False) if _any(rows, timed)),
        timelines=_timelines(rows, summarize(rows)),
        gallery=gallery(rows, most=faces, beside=beside, most_confident=most_confident)
        if faces
        else Gallery({}, {}, 0, ()),
        flags=tuple((flag, sum(flag in text.split() for text in rows.flags[rows.seen].tolist())) for flag in FLAGS),
        without_face=_without_face(rows),
        unread=_unread(rows),
        comparison=None if second is None else _comparison(name, rows, seconds, second, raw=raw, cluster=cluster),
        cluster=cluster,
    )


def _unread(faces: FaceTable) -> tuple[tuple[str, str], ...]:
    failed = np.flatnonzero(faces.error != "")
    return tuple(dict.fromkeys((faces.source[row], faces.error[row]) for row in failed.tolist()))


def _any(faces: FaceTable, timed: bool) -> bool:
    return bool((faces.timed == timed).any())


def _part(faces: FaceTable, seconds: np.ndarray, timed: bool, by: str) -> Part:
    kept = faces.timed == timed
    faces, seconds = faces.take(kept), seconds[kept]
    kind = "videos" if timed else "images"
    total = overall(faces, seconds, name=f"all {kind}")
    folders = len(set(faces.folder.tolist()))
    if not by and (timed or folders < 2 or folders > MOST_FOLDERS):
        return Part(kind, total, folders_left_out=0 if timed or folders <= MOST_FOLDERS else folders)
    names = group_names(faces, by or "folder")
    groups = [name for name in sorted(set(names.tolist())) if faces.counted[names == name].any()]
    units = tuple(
        overall(faces.take(names == name), seconds[names == name], name=name, kind="group") for name in groups
    )
    pairs = [(groups[0], names == groups[0], groups[1], names == groups[1])] if len(groups) == 2 else [
        (name, names == name, "all others", names != name) for name in groups if len(groups) > 2
    ]  # fmt: skip
    differences = tuple(
        difference((a, faces.take(one), seconds[one]), (b, faces.take(two), seconds[two]))
        for a, one, b, two in pairs
    )
    uncounted = tuple(sorted({*names.tolist()} - {*groups}))
    return Part(kind, total, by or "folder", units, uncounted, differences)


def _timelines(faces: FaceTable, summary: TableSummary) -> tuple[Timeline, ...]:
    timelines = []
    for rows in by_source(faces, ~np.isnan(faces.time_s)):
        video = faces.take(rows)
        times = frame_times(video)
        of_track = {unit.track: unit for unit in summary.tracks if unit.source == video.source[0] and unit.faces}
        longest = sorted(of_track.values(), key=lambda unit: -(unit.seen_s or 0))[:MOST_TRACKS]
        kept = sorted(unit.track for unit in longest if unit.track is not None)
        timelines.append(
            Timeline(
                source=video.source[0],
                begin_s=float(times[0]),
                end_s=float(frame_ends(times)[-1]),
                tracks=tuple(track_series(video, track, times, most_steps=_STEPS) for track in kept),
                summaries=tuple(of_track[track] for track in kept),
                omitted=len(of_track) - len(kept),
                cuts=tuple(cuts(video).tolist()),
            )
        )
    return tuple(timelines[:MOST_VIDEOS])


def _without_face(faces: FaceTable) -> tuple[str, ...]:
    with_face = set(faces.source[faces.face >= 0].tolist())
    empty = faces.source[(faces.face < 0) & (faces.error == "")].tolist()
    return tuple(dict.fromkeys(source for source in empty if source not in with_face))


def _comparison(
    title: str, first: FaceTable, seconds: np.ndarray, table: Any, *, raw: bool, cluster: str
) -> TableComparison:
    second = read_faces(table, raw=raw)
    second = clustered(second, cluster) if cluster else second
    name = second.name or "second table"
    if name == title:  # tables of one name in two folders
        name = os.fspath(table) if isinstance(table, str | os.PathLike) else "second table"
    second_s, differences = row_seconds(second), []
    for timed in (True, False):
        one, two = first.timed == timed, second.timed == timed
        if one.any() and two.any():
            of_kind = difference(
                (title, first.take(one), seconds[one]),
                (name, second.take(two), second_s[two]),
            )
            differences.append(replace(of_kind, kind="videos" if timed else "images"))
    return TableComparison(
        second=name,
        differences=tuple(differences),
        agreement=agreement(first, second),
        labels=(tuple(map(str, first.labels)), tuple(map(str, second.labels))),
    )


_SPOKEN = {"tta": "test-time augmentation", "detect": "faces detected", "version": "mien"}
_SHOWN_SETTINGS = ("weights", "identity", "priors", "tta", "confidence_threshold", "detect", "version")


def _words(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _settings(table: Any) -> dict[str, str]:
    """The settings that `mien predict` keeps beside a finished table; {} where there are none."""
    if not isinstance(table, str | os.PathLike):
        return {}
    path = Path(table).with_name(Path(table).name + ".settings")
    try:
        header = json.loads(path.read_bytes().splitlines()[0])
        detector = header.get("detector")
        values = {name: header[name] for name in _SHOWN_SETTINGS if header.get(name) is not None}
        if isinstance(detector, str):
            values["detector"] = detector
        return {_SPOKEN.get(name, name.replace("_", " ")): _words(value) for name, value in values.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
