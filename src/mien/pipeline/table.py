"""The table that prediction writes: one row per face per frame. Its columns are a contract.

Described for users in docs/reference/table.md.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.errors import InputError, OptionError, OutputError
from mien.labels import LabelSet
from mien.results import Face

Row = dict[str, Any]
_DIGITS = {"eye_px": 2, "off_axis_deg": 2, "sharpness": 4, "light": 4, "contrast": 4, "clipped": 4}  # of `Quality`
_WITH_FLAGS = {*_DIGITS, "flags", "certain"}  # columns that older tables lack
SUFFIXES = (".parquet", ".csv", ".jsonl")
_CHUNK = 10_000  # rows held in memory while a file is written


def schema(labels: LabelSet) -> pa.Schema:
    """Names and types of the columns for answers in these classes."""
    return pa.schema(
        [
            ("source", pa.string()),
            ("frame", pa.int64()),
            ("time_s", pa.float64()),
            ("face", pa.int64()),
            ("track", pa.int64()),
            ("left", pa.float64()),
            ("top", pa.float64()),
            ("right", pa.float64()),
            ("bottom", pa.float64()),
            ("detection", pa.float64()),
            ("yaw_deg", pa.float64()),
            ("pitch_deg", pa.float64()),
            ("roll_deg", pa.float64()),
            ("eye_px", pa.float64()),
            ("off_axis_deg", pa.float64()),
            ("sharpness", pa.float64()),
            ("light", pa.float64()),
            ("contrast", pa.float64()),
            ("clipped", pa.float64()),
            ("flags", pa.string()),
            ("expression", pa.string()),
            ("certain", pa.bool_()),
            *[(f"p_{label}", pa.float64()) for label in labels],
            ("error", pa.string()),
        ]
    )


def rows_of(source: str, faces: list[Face], labels: LabelSet) -> list[Row]:
    """The rows of one image; without a face one row whose `face` is null."""
    rows = []
    for index, face in enumerate(faces):
        row = _empty(source, labels)
        box = face.box
        row |= {"face": index, "left": round(box.left, 2), "top": round(box.top, 2)}
        row |= {"right": round(box.right, 2), "bottom": round(box.bottom, 2)}
        if face.detection is not None:
            row["detection"] = round(face.detection, 4)
        if face.pose is not None:
            for name in ("yaw_deg", "pitch_deg", "roll_deg"):
                row[name] = round(getattr(face.pose, name), 2)
        if face.quality is not None:
            row |= {name: round(getattr(face.quality, name), digits) for name, digits in _DIGITS.items()}
            row["flags"] = " ".join(face.quality.flags) or None
        if face.expression is not None:
            row |= {"expression": str(face.expression.top), "certain": face.certain}
            for label, value in zip(labels, _rounded(face.expression.values), strict=True):
                row[f"p_{label}"] = value
        rows.append(row)
    return rows or [_empty(source, labels)]


def row_of_error(source: str, reason: str, labels: LabelSet) -> Row:
    """The one row of a source that could not be read."""
    row = _empty(source, labels)
    row |= {"frame": None, "error": reason}
    return row


def _empty(source: str, labels: LabelSet) -> Row:
    row: Row = dict.fromkeys(schema(labels).names)
    row |= {"source": source, "frame": 0}
    return row


def _rounded(values: tuple[float, ...]) -> list[float]:
    """Six decimals that still sum to exactly one: the largest takes what rounding down left."""
    millionths = [int(value * 1_000_000) for value in values]
    millionths[values.index(max(values))] += 1_000_000 - sum(millionths)
    return [value / 1_000_000 for value in millionths]


def to_arrow(rows: Iterable[Row], labels: LabelSet) -> pa.Table:
    """Rows as an Arrow table; `.to_pandas()` makes a data frame."""
    return pa.Table.from_pylist(list(rows), schema=schema(labels))


def check_suffix(path: Path) -> None:
    """Raises `OptionError` where the ending names no table format, `OutputError` where the folder is missing."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path}: tables are written as {', '.join(SUFFIXES)}, not {path.suffix or 'without ending'}"
        )
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")


def write_table(rows: Iterable[Row], labels: LabelSet, path: Path) -> None:
    """Rows to .parquet, .csv or .jsonl, in chunks. The file appears whole or not at all."""
    check_suffix(path)
    half = path.with_name(f".{path.name}.half")
    try:
        {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}[path.suffix.lower()](
            iter(rows), schema(labels), half
        )
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _write_parquet(rows: Iterator[Row], columns: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, columns) as writer:
        while chunk := list(islice(rows, _CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=columns))


def _write_csv(rows: Iterator[Row], columns: pa.Schema, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns.names)
        writer.writeheader()
        writer.writerows(rows)


def _write_jsonl(rows: Iterator[Row], _columns: pa.Schema, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def read_table(path: Path, labels: LabelSet) -> list[Row]:
    """The rows of a table this module wrote; raises `OutputError` where the columns are others."""
    return _read(path, schema(labels))


def _read(path: Path, wanted: pa.Schema) -> list[Row]:
    try:
        if path.suffix.lower() == ".parquet":
            rows = pq.read_table(path).to_pylist()
        elif path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                rows = [_typed(row, wanted) for row in csv.DictReader(file)]
        else:
            with path.open(encoding="utf-8", newline="\n") as file:
                rows = [dict(json.loads(line)) for line in file]
    except (ValueError, KeyError, TypeError, csv.Error, pa.ArrowInvalid) as error:
        raise OutputError(f"{path} exists and is no table of mien ({error}); choose another name") from error
    if any(list(row) != wanted.names for row in rows):
        raise OutputError(f"{path} exists with other columns; choose another name, or --overwrite to replace it")
    return rows


def read_predictions(path: Path) -> tuple[LabelSet, list[Row]]:
    """The classes and rows of a table that `mien predict` wrote, whatever its classes; raises `InputError`.

    Rows of a table from before there were flags lack these columns.
    """
    try:
        if path.suffix.lower() == ".parquet":
            names = pq.read_schema(path).names
        else:
            with path.open(newline="", encoding="utf-8") as file:
                first = file.readline()
            names = list(json.loads(first)) if path.suffix.lower() == ".jsonl" else next(csv.reader([first]), [])
        labels = LabelSet(" ".join(name.removeprefix("p_") for name in names if name.startswith("p_")))
        if len(labels) < 2:
            raise ValueError("it has no p_ columns")
        columns = schema(labels)
        if not _WITH_FLAGS & set(names):
            columns = pa.schema([field for field in columns if field.name not in _WITH_FLAGS])
        return labels, _read(path, columns)
    except (OSError, ValueError, TypeError, OutputError, pa.ArrowInvalid) as error:
        reason = error.__cause__ or error  # an `OutputError` speaks of a table that is to be written
        raise InputError(f"{path} is no whole table that mien predict wrote ({reason})") from error


def _typed(row: dict[str, str], columns: pa.Schema) -> Row:
    """A CSV row with its numbers as numbers and its empty fields as None."""
    convert: dict[pa.DataType, Callable[[str], Any]] = {
        pa.int64(): int,
        pa.float64(): float,
        pa.string(): str,
        pa.bool_(): "True".__eq__,
    }
    return {name: (convert[columns.field(name).type](text) if text != "" else None) for name, text in row.items()}
