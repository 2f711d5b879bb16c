"""A prediction table read back from any of its formats, whatever columns the user added."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
import pyarrow.parquet as pq

from mien.errors import InputError, OptionError, OutputError
from mien.labels import LabelSet
from mien.pipeline.rows import TableRow
from mien.pipeline.table import LATER, floats_for_integers, schema
from mien.wording import in_one_line

READABLE = (".parquet", ".csv", ".jsonl", ".xlsx")
_NOT_UTF8 = 'it is not in UTF-8; save it as "CSV UTF-8", or as .xlsx'
_NEEDED = ("source", "face", "expression")


def labels_of(names: list[str]) -> LabelSet:
    """The classes that the `p_` columns are of. Raises ValueError for fewer than two."""
    labels = LabelSet(name.removeprefix("p_") for name in names if name.startswith("p_"))
    if len(labels) < 2:
        raise ValueError("it has no p_ columns")
    return labels


def read_columns(path: Path) -> tuple[LabelSet, pa.Table]:
    """Classes and columns of a prediction table, or of a folder of Parquet parts.

    Columns of the contract that the table lacks are null; others are kept as they are. Raises `InputError`.
    """
    try:
        return with_contract(_read(path))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; name a table that mien predict wrote") from error
    except (OSError, ValueError, TypeError, LookupError) as error:  # Arrow's errors are among them
        raise _incomplete(path, error) from error


def read_predictions(path: Path) -> tuple[LabelSet, list[TableRow]]:
    """The classes and rows of a table that `mien predict` wrote, without columns of the user's own.

    Rows of a table from before there were flags, smoothed scores or `scores_frame` lack these columns. Raises
    `InputError`.
    """
    try:
        table = _read(path)
        labels, names = labels_of(table.column_names), set(table.column_names)
        older = {name for later in LATER if not later & names for name in later}
        columns = pa.schema([field for field in schema(labels) if field.name not in older])
        if absent := [name for name in columns.names if name not in names]:
            raise ValueError(f"it has other columns: it lacks {', '.join(absent)}")
        rows: list[TableRow] = table.select(columns.names).cast(columns).to_pylist()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; name a table that mien predict wrote") from error
    except (OSError, ValueError, TypeError, LookupError, OutputError) as error:
        raise _incomplete(path, error) from error
    scores = [f"p_{label}" for label in labels]
    if not all(row[one] is not None and 0 <= row[one] <= 1 for row in rows if row["face"] is not None
               for one in scores):  # fmt: skip
        raise InputError(f"{path}: a face has a probability (p_ columns) that is empty or not from 0 to 1")
    return labels, rows


def read_plain(table: Any) -> pa.Table:
    """A table of any columns: a path, an Arrow table or a pandas data frame. Cells of a .csv file are text.

    The columns of a .csv file are separated by commas, semicolons or tabs. Raises `InputError`.
    """
    if not isinstance(table, str | os.PathLike):
        made = pa.Table.from_pandas(table, preserve_index=False) if hasattr(table, "to_records") else table
        if not isinstance(made, pa.Table):
            raise OptionError(f"a table is a path, an Arrow table or a data frame, not {type(table).__name__}")
        return made
    path = Path(table)
    try:
        if path.suffix.lower() == ".csv":
            return _plain_csv(path)
        return arrow_json.read_json(path) if path.suffix.lower() == ".jsonl" else _read(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; name a table") from error
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{path} is no table ({in_one_line(error, 200)})") from error


def _plain_csv(path: Path) -> pa.Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            heading = file.readline()
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=max(",;\t", key=heading.count)) if any(row)]
    except UnicodeDecodeError:
        raise ValueError(_NOT_UTF8) from None
    if not rows:
        raise ValueError("it is empty")
    names = rows[0]
    if repeated := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ValueError(f"two columns are called {repeated[0]!r}")
    if wrong := [row for row in rows if len(row) != len(names)]:
        raise ValueError(f"a row has {len(wrong[0])} cells and the heading {len(names)}: {', '.join(wrong[0])}")
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(names)
    return pa.table(
        {
            name: pa.array([cell if cell not in ("", "NA") else None for cell in cells], pa.string())
            for name, cells in zip(names, columns, strict=True)
        }
    )


def with_contract(table: pa.Table) -> tuple[LabelSet, pa.Table]:
    """The classes of a table, and its columns with the types of docs/reference/table.md.

    Raises ValueError where it is no prediction table.
    """
    absent = [name for name in _NEEDED if name not in table.column_names]
    if absent:
        raise ValueError(f"it has no column {', '.join(absent)}")
    labels = labels_of(table.column_names)
    columns = {name: table[name] for name in table.column_names}
    for field in schema(labels):
        given = columns.get(field.name)
        columns[field.name] = pa.nulls(len(table), field.type) if given is None else given.cast(field.type)
    return labels, pa.table(columns)


def _read(path: Path) -> pa.Table:
    if path.is_dir():
        parts = sorted(path.glob("*.parquet"))
        if not parts:
            raise ValueError("a folder without .parquet files")
        if (path / "_mien").is_dir() and not (path / "_mien/complete.json").exists():
            raise ValueError("parts are missing: run the command that began it again")
        return pa.concat_tables([pq.read_table(part) for part in parts])
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return pq.read_table(path)
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".jsonl":
        return _read_jsonl(path)
    if suffix == ".xlsx":
        from mien.pipeline.xlsx import read_xlsx

        return read_xlsx(path)
    raise ValueError(f"tables end in {', '.join(READABLE)}")


def _types(names: list[str]) -> dict[str, Any]:
    """The types of the columns of the contract among these."""
    return {
        field.name: field.type for field in floats_for_integers(schema(labels_of(names))) if field.name in names
    }


def _read_csv(path: Path) -> pa.Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            names = next(csv.reader([file.readline()]), [])
    except UnicodeDecodeError:
        raise ValueError(_NOT_UTF8) from None
    for separator, word in {";": "semicolons", "\t": "tabs"}.items():
        if len(names) == 1 and separator in names[0]:
            raise ValueError(f"its columns are separated by {word}; save it with commas, or as .xlsx")
    try:
        return arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=_types(names),
                null_values=["", "NA"],  # NA: of R
                true_values=["True", "TRUE", "true", "1"],
                false_values=["False", "FALSE", "false", "0"],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):  # behind what was read above
            raise ValueError(_NOT_UTF8) from None
        raise


def _read_jsonl(path: Path) -> pa.Table:
    with path.open("rb") as file:
        names = list(json.loads(file.readline()))
    return arrow_json.read_json(path, parse_options=arrow_json.ParseOptions(pa.schema(_types(names).items())))


def _incomplete(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is no complete table that mien predict wrote ({in_one_line(error, 200)})")
