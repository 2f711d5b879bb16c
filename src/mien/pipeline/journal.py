"""The rows of a table that is being made, beside it: one line per image.

A run that finds a journal keeps its complete lines and goes on; the table itself is written once, at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Self

from mien.errors import OutputError
from mien.labels import LabelSet
from mien.media.atomic import atomic_open
from mien.media.resume import differences
from mien.pipeline.table import TableRow, read_table

FileState = tuple[int, int]  # size in bytes and time of the last change in ns


def file_state(path: str) -> FileState | None:
    """What tells a file from its later versions; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


class Journal:
    """Finished rows beside the output, `NAME.partial`: a line of settings, then one line per source.

    A line cut off by a kill is dropped when the journal is opened again. `files`: the sources of this run as they
    are now. `sources` are those that need no other prediction: sources with an error or changed since are read
    again. Beside a finished table `NAME.settings` keeps the lines without the rows.
    """

    def __init__(
        self,
        output: Path,
        settings: Mapping[str, Any],
        labels: LabelSet,
        files: Mapping[str, FileState | None],
        *,
        overwrite: bool,
    ) -> None:
        self.path, self.labels = output.with_name(output.name + ".partial"), labels
        self.output, self.settings_path = output, output.with_name(output.name + ".settings")
        self.sources: set[str] = set()
        self._header, self._files = dict(settings), files
        self._file: IO[bytes] | None = None
        if overwrite:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._resume()
        elif output.exists():
            self._extend()

    def _resume(self) -> None:
        complete = 0
        header: dict[str, Any] | None = None
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    if header is None:
                        header = dict(json.loads(line))
                    else:
                        self._know(*_read_line(line))
                    complete += len(line)
        except (ValueError, LookupError, TypeError):
            raise OutputError(f"{self.path} is no journal of mien; remove it, or choose another output") from None
        if header is not None:
            self._check(self.path, "begun", header)
        os.truncate(self.path, complete)

    def _extend(self) -> None:
        """Take over a finished table, so that new images can be added to it."""
        try:
            lines = self.settings_path.read_bytes().splitlines()
            header, size, files = json.loads(lines[0]), json.loads(lines[1]), dict(map(json.loads, lines[2:]))
        except FileNotFoundError:
            read_table(self.output, self.labels)  # what is no table at all is said first
            header, size, files = None, None, {}
        except (ValueError, LookupError, TypeError):
            header, size, files = None, None, {}
        if header is not None:
            self._check(self.output, "made", header)
        if header is None or size != self.output.stat().st_size:
            raise OutputError(
                f"{self.output} is there, and {self.settings_path.name} does not say how it was made; "
                "use --overwrite, or another output"
            )
        rows = read_table(self.output, self.labels).to_pylist()
        with atomic_open(self.path) as file:
            file.write(_line(self._header))
            for source, group in groupby(rows, key=lambda row: row["source"]):
                state, of_source = files.get(source), list(group)
                file.write(_line({"file": state, "rows": of_source}))
                self._know(state, of_source)

    def _check(self, path: Path, made: str, header: Mapping[str, Any]) -> None:
        if changes := differences(header, self._header):
            raise OutputError(
                f"{path} was {made} with other weights or settings ({'; '.join(changes[:3])}); "
                "use --overwrite, or another output"
            )

    def _know(self, file: Sequence[int] | None, rows: list[TableRow]) -> None:
        source = rows[0]["source"]
        now = self._files.get(source)
        if rows[0]["error"] is None and now is not None and file is not None and tuple(file) == now:
            self.sources.add(source)
        else:
            self.sources.discard(source)

    def __enter__(self) -> Self:
        self._file = self.path.open("ab")
        if self._file.tell() == 0:
            self._write(self._header)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # on a full disk the lines before stay complete
                self._file.close()
            self._file = None

    def add(self, rows: list[TableRow]) -> None:
        """Write the rows of one source."""
        self._write({"file": self._files.get(rows[0]["source"]), "rows": rows})

    def _write(self, value: object) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        self._file.write(_line(value))
        self._file.flush()

    def rows(self, order: Sequence[str]) -> Iterator[TableRow]:
        """All rows: sources in the given order first, then those of earlier runs; of a source its last line."""
        offsets: dict[str, int] = {}
        rank = {source: i for i, source in enumerate(order)}
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                offsets[_read_line(line)[1][0]["source"]] = offset
                offset += len(line)
            for source in sorted(offsets, key=lambda source: rank.get(source, len(rank))):
                file.seek(offsets[source])
                yield from _read_line(file.readline())[1]

    def finish(self) -> None:
        """The table is written: keep how it was made, and from which files; the journal has done its work."""
        files: dict[str, Any] = {}
        with self.path.open("rb") as journal, atomic_open(self.settings_path) as file:
            file.write(journal.readline() + _line(self.output.stat().st_size))
            for state, rows in map(_read_line, journal):
                files[rows[0]["source"]] = state
            file.writelines(map(_line, files.items()))
        self.path.unlink(missing_ok=True)


def _read_line(line: bytes) -> tuple[Sequence[int] | None, list[TableRow]]:
    value = json.loads(line)
    return value["file"], value["rows"]


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
