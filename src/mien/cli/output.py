"""Files that commands write beside what they print."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.errors import OutputError
from mien.media.atomic import atomic_write
from mien.media.disk import check_folder


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


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Rows of the same plain values to a .csv file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    write_text(text.getvalue(), path)
