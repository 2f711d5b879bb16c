"""Tables of the rows of `mien.pipeline.rows`: as Arrow, in files and from them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from mien.errors import OutputError
from mien.labels import LabelSet
from mien.media.atomic import atomic_open
from mien.pipeline.rows import DIGITS, TableRow, check_suffix, column_types
from mien.pipeline.xlsx import SheetFullError, read_xlsx, write_xlsx

# Columns that older tables lack:
LATER = ({*DIGITS, "flags", "certain"}, {"smoothed", "smoothed_confidence"}, {"scores_frame"})
_CHUNK = 10_000  # rows held in memory while a file is written


def schema(labels: LabelSet) -> pa.Schema:
    """Names and types of the columns for predictions in these classes."""
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.schema([(name, types[kind]) for name, kind in column_types(labels).items()])


def to_arrow(rows: Iterable[TableRow], labels: LabelSet) -> pa.Table:
    """Rows as an Arrow table; `.to_pandas()` makes a data frame."""
    return pa.Table.from_pylist(list(rows), schema=schema(labels))


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
            column_types=floats_for_integers(columns),
            null_values=[""],
            true_values=["True"],
            false_values=["False"],
            strings_can_be_null=True,
        ),
    )


def floats_for_integers(columns: pa.Schema) -> pa.Schema:
    """The types as which text is read: pandas writes "0.0" where a column has empty cells, too."""
    wide = {pa.int64(): pa.float64()}
    return pa.schema([(field.name, wide.get(field.type, field.type)) for field in columns])


def _read_jsonl(path: Path, columns: pa.Schema) -> pa.Table:
    with path.open("rb") as file:
        rows = [dict(json.loads(line)) for line in file]
    different = next((row for row in rows if list(row) != columns.names), None)
    if different is not None:
        return pa.Table.from_pylist([different])  # with its own columns
    return pa.Table.from_pylist(rows, schema=columns)
