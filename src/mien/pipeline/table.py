"""The table that prediction writes: one row per face per frame. Its columns are a contract.

Described for users in docs/reference/table.md.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from mien.errors import InputError, OptionError, OutputError
from mien.labels import LabelSet
from mien.media.atomic import atomic_open
from mien.pipeline.xlsx import SheetFullError, check_openpyxl, read_xlsx, write_xlsx
from mien.results import Face, ImageResult, VideoFrame

TableRow = dict[str, Any]
_DIGITS = {"eye_px": 2, "off_axis_deg": 2} | dict.fromkeys(
    ("sharpness", "light", "contrast", "clipped", "upright"), 4
)
# Columns that older tables lack:
_LATER = ({*_DIGITS, "flags", "certain"}, {"smoothed", "smoothed_confidence"}, {"scores_frame"})
SUFFIXES = (".parquet", ".csv", ".jsonl", ".xlsx")
_CHUNK = 10_000  # rows held in memory while a file is written


def schema(labels: LabelSet) -> pa.Schema:
    """Names and types of the columns for predictions in these classes."""
    text, integer, number = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            ("source", text),
            ("frame", integer),
            ("time_s", number),
            ("face", integer),
            ("track", integer),
            *[(name, number) for name in "left top right bottom detection yaw_deg pitch_deg roll_deg".split()],
            *[(name, number) for name in _DIGITS],
            ("flags", text),
            ("expression", text),
            ("certain", pa.bool_()),
            ("smoothed", text),
            ("smoothed_confidence", number),
            ("scores_frame", integer),
            *[(f"p_{label}", number) for label in labels],
            ("error", text),
        ]
    )


@lru_cache(maxsize=8)
def _names(labels: LabelSet) -> tuple[str, ...]:
    return tuple(schema(labels).names)


def rows_of(result: ImageResult, labels: LabelSet) -> list[TableRow]:
    """The rows of one image or frame: one per face; without a face one whose `face` is null; of an error one."""
    if result.error is not None:
        return [_row(result.source, labels, frame=None, error=result.error)]
    moment = {"frame": result.frame, "time_s": result.time_s} if isinstance(result, VideoFrame) else {}
    return [
        _row(result.source, labels, **moment, face=index, **_values(face, labels))
        for index, face in enumerate(result.faces)
    ] or [_row(result.source, labels, **moment)]


def _row(source: str, labels: LabelSet, **values: Any) -> TableRow:
    return dict.fromkeys(_names(labels)) | {"source": source, "frame": 0} | values


def _values(face: Face, labels: LabelSet) -> TableRow:
    values: TableRow = {side: _number(getattr(face.box, side), 2) for side in ("left", "top", "right", "bottom")}
    if face.detection is not None:
        values["detection"] = _number(face.detection, 4)
    if face.pose is not None:
        values |= {name: _number(getattr(face.pose, name), 2) for name in ("yaw_deg", "pitch_deg", "roll_deg")}
    if face.quality is not None:
        values |= {name: _number(getattr(face.quality, name), digits) for name, digits in _DIGITS.items()}
        values["flags"] = " ".join(face.quality.flags) or None
    if face.expression is not None:
        values |= {"expression": str(face.expression.top), "certain": face.certain}
        probabilities = zip(labels, _rounded(face.expression.values), strict=True)
        values |= {f"p_{label}": value for label, value in probabilities}
    values |= {"track": face.track, "scores_frame": face.scores_frame}
    if face.smoothed is not None:
        values |= {
            "smoothed": str(face.smoothed.top),
            "smoothed_confidence": _number(face.smoothed.confidence, 6),
        }
    return values


def _number(value: float, digits: int) -> float:
    """A Python float, whatever the user's own detector gave: written the same before and after a resume."""
    return round(float(value), digits)


def _rounded(values: tuple[float, ...]) -> list[float]:
    """Six decimals that still sum to exactly one: the largest takes what rounding down left."""
    millionths = [int(value * 1_000_000) for value in values]
    millionths[values.index(max(values))] += 1_000_000 - sum(millionths)
    return [value / 1_000_000 for value in millionths]


def to_arrow(rows: Iterable[TableRow], labels: LabelSet) -> pa.Table:
    """Rows as an Arrow table; `.to_pandas()` makes a data frame."""
    return pa.Table.from_pylist(list(rows), schema=schema(labels))


def check_suffix(path: Path) -> None:
    """Raises `OptionError` where the ending names no table format, `OutputError` where the folder is missing."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path}: tables are written as {', '.join(SUFFIXES)}, not {path.suffix or 'without ending'}"
        )
    if path.suffix.lower() == ".xlsx":
        check_openpyxl()
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")


def write_table(rows: Iterable[TableRow], labels: LabelSet, path: Path) -> None:
    """Rows to .parquet, .csv, .jsonl or .xlsx, in chunks and in one step."""
    check_suffix(path)
    write = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl, ".xlsx": _write_xlsx}[
        path.suffix.lower()
    ]
    with atomic_open(path) as file:
        write(iter(rows), schema(labels), file)


def write_all(rows: Callable[[], Iterable[TableRow]], labels: LabelSet, path: Path) -> None:
    """`write_table`; rows that a sheet of Excel cannot hold are not lost but written beside it as .parquet.

    Raises `OutputError` that names that table.
    """
    try:
        write_table(rows(), labels, path)
    except SheetFullError as error:
        beside = path.with_name(f"{path.name}.parquet")
        write_table(rows(), labels, beside)
        raise SheetFullError(f"{path} is not written: {error}. All rows are in {beside}") from None


def _write_parquet(rows: Iterator[TableRow], columns: pa.Schema, file: IO[bytes]) -> None:
    with pq.ParquetWriter(file, columns) as writer:
        while chunk := list(islice(rows, _CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=columns))


def _write_csv(rows: Iterator[TableRow], columns: pa.Schema, file: IO[bytes]) -> None:
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, columns.names)
    writer.writeheader()
    writer.writerows(rows)
    text.detach()


def csv_lines(rows: Iterable[TableRow]) -> Iterator[str]:
    """The lines of a .csv table one by one, for what is not a file."""
    text, names = StringIO(newline=""), list[str]()
    for row in rows:
        writer = csv.DictWriter(text, list(row))
        if not names:
            names = list(row)
            writer.writeheader()
        writer.writerow(row)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _write_jsonl(rows: Iterator[TableRow], _columns: pa.Schema, file: IO[bytes]) -> None:
    for row in rows:
        file.write(json.dumps(row).encode() + b"\n")


def _write_xlsx(rows: Iterator[TableRow], columns: pa.Schema, file: IO[bytes]) -> None:
    write_xlsx(rows, columns.names, file)


def read_table(path: Path, labels: LabelSet) -> pa.Table:
    """A table this module wrote; raises `OutputError` where the columns are others."""
    return _read(path, schema(labels))


def _read(path: Path, columns: pa.Schema) -> pa.Table:
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            table = pq.read_table(path)
        elif suffix == ".csv":
            table = _read_csv(path, columns)
        elif suffix == ".xlsx":
            table = read_xlsx(path)
        else:
            table = _read_jsonl(path, columns)
        if table.column_names == columns.names:
            return table.cast(columns)
    except (ValueError, KeyError, TypeError) as error:  # Arrow's errors are ValueErrors
        raise OutputError(f"{path} exists and is no table of mien ({error}); choose another name") from error
    raise OutputError(f"{path} exists with other columns; choose another name, or --overwrite to replace it")


def _read_csv(path: Path, columns: pa.Schema) -> pa.Table:
    return arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=columns,
            null_values=[""],
            true_values=["True"],
            false_values=["False"],
            strings_can_be_null=True,
        ),
    )


def _read_jsonl(path: Path, columns: pa.Schema) -> pa.Table:
    with path.open("rb") as file:
        rows = [dict(json.loads(line)) for line in file]
    different = next((row for row in rows if list(row) != columns.names), None)
    if different is not None:
        return pa.Table.from_pylist([different])  # with its own columns
    return pa.Table.from_pylist(rows, schema=columns)


def read_predictions(path: Path) -> tuple[LabelSet, list[TableRow]]:
    """The classes and rows of a table that `mien predict` wrote, whatever its classes; raises `InputError`.

    Rows of a table from before there were flags, or smoothed scores, lack these columns.
    """
    try:
        names = _column_names(path)
        labels = LabelSet(name.removeprefix("p_") for name in names if name.startswith("p_"))
        if len(labels) < 2:
            raise ValueError("it has no p_ columns")
        columns = schema(labels)
        for later in _LATER:
            if not later & set(names):
                columns = pa.schema([field for field in columns if field.name not in later])
        return labels, _read(path, columns).to_pylist()
    except (OSError, ValueError, TypeError, OutputError) as error:
        reason = error.__cause__ or error  # an `OutputError` speaks of a table that is to be written
        raise InputError(f"{path} is no complete table that mien predict wrote ({reason})") from error


def _column_names(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        return list(pq.read_schema(path).names)
    if path.suffix.lower() == ".xlsx":
        return read_xlsx(path).column_names
    with path.open(newline="", encoding="utf-8") as file:
        first = file.readline()
    return list(json.loads(first)) if path.suffix.lower() == ".jsonl" else next(csv.reader([first]), [])
