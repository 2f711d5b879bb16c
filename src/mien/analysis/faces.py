"""The faces of a prediction table as arrays: which are counted, and as what."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.errors import InputError, OptionError
from mien.geometry import SIDES
from mien.labels import LabelSet
from mien.media.sniff import VIDEO_SUFFIXES
from mien.pipeline.read import read_columns, with_contract
from mien.wording import counted


@dataclass(frozen=True, eq=False)
class FaceTable:
    """The N rows of a prediction table. Rows without a face have `face` -1 and are never counted."""

    name: str  # of the file; "" for a table in memory
    labels: LabelSet
    source: np.ndarray  # (N,) text
    frame: np.ndarray  # (N,) integers; -1: an error
    time_s: np.ndarray  # (N,) presentation times; NaN: an image
    face: np.ndarray  # (N,) integers; -1: no face
    track: np.ndarray  # (N,) integers; -1: none
    expression: np.ndarray  # (N,) class index, smoothed where the table says so; -1: none
    probabilities: np.ndarray  # (N, K); NaN: no face
    certain: np.ndarray  # (N,) boolean; where certainty is not stated: no flags
    flags: np.ndarray  # (N,) text; "": none
    error: np.ndarray  # (N,) text; "": none
    columns: pa.Table = field(repr=False)  # everything that the table has
    notes: tuple[str, ...] = ()
    smoothed: bool = False  # whether expressions are; probabilities never are
    cluster: np.ndarray | None = None  # (N,) text: rows to resample together, where the user says so

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: np.ndarray) -> FaceTable:
        """Some of the rows, by index or mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays: dict[str, Any] = {k: value[rows] for k, value in values.items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays, columns=self.columns.take(pa.array(rows)))

    @property
    def seen(self) -> np.ndarray:
        """(N,) rows with a face that has a prediction."""
        return (self.face >= 0) & (self.expression >= 0)

    @property
    def flagged(self) -> np.ndarray:
        """(N,) faces with a quality problem."""
        return self.seen & (self.flags != "")

    @property
    def counted(self) -> np.ndarray:
        """(N,) faces that summaries count: certain and without flags."""
        return self.seen & self.certain & (self.flags == "")

    @property
    def uncertain(self) -> np.ndarray:
        """(N,) faces without flags whose prediction is below the confidence threshold."""
        return self.seen & ~self.certain & (self.flags == "")

    @cached_property
    def timed(self) -> np.ndarray:
        """(N,) rows of videos and streams, their errors among them."""
        videos = set(self.source[~np.isnan(self.time_s)].tolist())
        unread = set(self.source[self.error != ""].tolist()) - videos  # have no times: by their names
        videos |= {source for source in unread if os.path.splitext(source)[1].lower() in VIDEO_SUFFIXES}
        return np.array([source in videos for source in self.source.tolist()], dtype=bool)

    @cached_property
    def folder(self) -> np.ndarray:
        """(N,) the folder of each source."""
        names = {source: os.path.dirname(source) or "." for source in set(self.source.tolist())}
        return np.array([names[source] for source in self.source.tolist()], dtype=object)


def read_faces(table: Any, *, raw: bool = False) -> FaceTable:
    """The faces of a table: a path, an Arrow table or a pandas data frame of `mien predict`.

    `raw`: each frame's own expression even where the table has the smoothed one. Raises `InputError`.
    """
    if isinstance(table, FaceTable):
        return table
    if isinstance(table, str | os.PathLike):
        path = Path(table)
        labels, columns = read_columns(path)
        return _faces(path.name, labels, columns, raw=raw)
    try:
        if hasattr(table, "to_records"):  # pandas
            table = pa.Table.from_pandas(table, preserve_index=False)
        if not isinstance(table, pa.Table):
            raise OptionError(f"a table is a path, an Arrow table or a data frame, not {type(table).__name__}")
        labels, columns = with_contract(table)
    except OptionError:
        raise
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"this is no table that mien predict makes ({error})") from error
    return _faces("", labels, columns, raw=raw)


def _faces(name: str, labels: LabelSet, columns: pa.Table, *, raw: bool) -> FaceTable:
    columns, repeated = _deduplicated(columns, labels)
    flags, certain = _text(columns["flags"]), columns["certain"]
    expression = columns["expression"]
    smooth = not raw and "smoothed" in columns.column_names and columns["smoothed"].null_count < len(columns)
    if smooth:
        expression = pc.coalesce(columns["smoothed"].cast(pa.string()), expression)
    face = _integers(columns["face"])
    with_face = pc.is_valid(columns["face"]).to_numpy(zero_copy_only=False)
    unstated = with_face & pc.is_null(certain).to_numpy(zero_copy_only=False)
    notes = [f"rows that are there twice count once ({repeated:,} left out)"] if repeated else []
    if smooth:
        notes.append("expressions are smoothed over each track")
    if unstated.any():
        notes.append(
            f"{'all' if unstated.sum() == with_face.sum() else 'some'} faces are without a confidence threshold "
            "(their weights state none): they count whatever their confidence, unless flagged"
        )
    if copies := _copies(columns, labels):
        notes.append(
            f"{counted(copies, 'face')} of images {'is' if copies == 1 else 'are'} exactly like one of another "
            "image, as in copies of a file; each counts"
        )
    probabilities = [columns[f"p_{label}"].to_numpy(zero_copy_only=False) for label in labels]
    table = FaceTable(
        name=name,
        labels=labels,
        source=_text(columns["source"]),
        frame=_integers(columns["frame"]),
        time_s=_numbers(columns["time_s"]),
        face=face,
        track=_integers(columns["track"]),
        expression=_classes(expression, labels),
        probabilities=np.stack([np.asarray(column, dtype=np.float64) for column in probabilities], axis=1),
        certain=pc.fill_null(certain, True).to_numpy(zero_copy_only=False).astype(bool),
        flags=flags,
        error=_text(columns["error"]),
        columns=columns,
        notes=tuple(notes),
        smoothed=smooth,
    )
    _check_values(table)
    return table


def _deduplicated(columns: pa.Table, labels: LabelSet) -> tuple[pa.Table, int]:
    """The rows each once, and how many are left out: joined tables may overlap.

    Raises `InputError` where rows of one face of one frame are not the same.
    """
    names = ["source", "frame", "face", "track"]
    values = [*SIDES, "expression", *(f"p_{label}" for label in labels)]
    rows = columns.select([*names, *values]).append_column("row", pa.array(np.arange(len(columns))))
    rows = rows.filter(pc.is_valid(rows["frame"]))
    faces = rows.group_by(names).aggregate([("row", "min"), ("row", "max")])
    repeated = len(rows) - len(faces)
    if not repeated:
        return columns, 0
    if len(rows.group_by([*names, *values]).aggregate([])) > len(faces):
        one = faces.filter(pc.not_equal(faces["row_min"], faces["row_max"])).slice(0, 1).to_pylist()[0]
        raise InputError(
            f"the table has different rows of {one['source']!r}, frame {one['frame']}, face {one['face']}; "
            "join tables of the same settings, in which each file has its own name"
        )
    kept = np.ones(len(columns), dtype=bool)
    kept[rows["row"].to_numpy()] = False
    kept[faces["row_min"].to_numpy()] = True
    return columns.filter(pa.array(kept)), repeated


def _copies(columns: pa.Table, labels: LabelSet) -> int:
    """How many faces of images have the box and the probabilities of an earlier one of another file."""
    values = [*SIDES, *(f"p_{label}" for label in labels)]
    faces = columns.filter(pc.and_(pc.is_valid(columns["face"]), pc.is_null(columns["time_s"])))
    return len(faces) - len(faces.group_by(values).aggregate([]))


def _check_values(table: FaceTable) -> None:
    """Raises `InputError` for times and probabilities that `mien predict` does not write."""
    scores = table.probabilities[table.seen]
    if not ((scores >= 0) & (scores <= 1)).all():  # NaN is neither
        raise InputError("a face in the table has a probability (p_ columns) that is empty or not from 0 to 1")
    if np.isinf(table.time_s).any():
        raise InputError("a time_s in the table is infinite; predict the video again")
    untimed = np.isnan(table.time_s) & ((table.frame > 0) | (table.seen & table.timed))
    if untimed.any():
        raise InputError(f"the table has frames of {table.source[untimed][0]!r} without a time_s; predict it again")


def _text(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(pc.fill_null(column, "").to_pylist(), dtype=object)


def _integers(column: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(column, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _classes(column: pa.ChunkedArray, labels: LabelSet) -> np.ndarray:
    """Class indices. Raises `InputError` for an expression that has no column."""
    unknown = sorted({value for value in pc.unique(column).to_pylist() if value is not None} - {*map(str, labels)})
    if unknown:
        raise InputError(f"the table predicts {', '.join(map(repr, unknown))}, of which it has no p_ column")
    index = pc.index_in(column, value_set=pa.array([str(label) for label in labels]))
    return _integers(index)
