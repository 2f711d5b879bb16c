"""Files that commands write beside what they print."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.errors import OptionError, OutputError
from mien.media.atomic import atomic_open, atomic_write
from mien.media.disk import check_folder
from mien.pipeline.xlsx import check_openpyxl, write_xlsx


def check_output_files(*paths: Path | None, inputs: Iterable[str | Path | None] = ()) -> None:
    """Raises `OutputError` before the work for what would fail after it, or overwrite an input or output."""
    taken = {os.path.realpath(path) for path in inputs if path is not None}
    for path in (path for path in paths if path is not None):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
        if os.path.realpath(path) in taken:
            raise OutputError(f"{path} would be overwritten: it is an input or another output; choose another name")
        taken.add(os.path.realpath(path))
        if path.is_file() or not path.exists():  # no pipe or device, which is written to as it is
            check_folder(Path(os.path.realpath(path)).parent, path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses becomes an `OutputError` that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error


def write_text(text: str, path: Path) -> None:
    """A file in one step."""
    with writing(path):
        atomic_write(path, text.encode())


def write_json(value: Any, path: Path) -> None:
    """Plain values to a file."""
    write_text(json.dumps(value, indent=1) + "\n", path)


def check_rows_file(path: Path | None, what: str) -> None:
    """Raises `OptionError` for another ending, `MissingPackageError` for .xlsx without openpyxl."""
    if path is None:
        return
    if path.suffix.lower() not in (".csv", ".xlsx", ".json"):
        raise OptionError(
            f"{path}: {what} are written as .csv, .xlsx or .json, not {path.suffix or 'without ending'}"
        )
    if path.suffix.lower() == ".xlsx":
        check_openpyxl()


def write_rows(rows: list[dict[str, Any]], path: Path, *, columns: Sequence[str] = ()) -> None:
    """Rows of the same plain values to a .csv or .xlsx file; `columns` names them where there may be no rows."""
    columns = columns or (list(rows[0]) if rows else [])
    if path.suffix.lower() == ".xlsx":
        with writing(path), atomic_open(path) as file:
            write_xlsx(rows, columns, file)
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    write_text(text.getvalue(), path)
