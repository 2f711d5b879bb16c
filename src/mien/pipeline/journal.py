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
from mien.pipeline.table import TableRow, read_table, schema


class Journal:
    """Finished rows beside the output, `NAME.partial`: a line of settings, then one line per source.

    A line cut off by a kill is dropped when the journal is opened again. `sources` are those that need no other
    prediction: sources with an error are tried again.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any], labels: LabelSet, *, overwrite: bool) -> None:
        self.path, self.labels = output.with_name(output.name + ".partial"), labels
        self.sources: set[str] = set()
        self._header = {**settings, "columns": schema(labels).names}
        self._file: IO[bytes] | None = None
        if overwrite:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._resume()
        elif output.exists():
            self._extend(read_table(output, labels).to_pylist())

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
                        self._know(json.loads(line)[0])
                    complete += len(line)
        except (ValueError, LookupError, TypeError):
            raise OutputError(f"{self.path} is no journal of mien; remove it, or choose another output") from None
        if header is not None and (changes := differences(header, self._header)):
            raise OutputError(
                f"{self.path} was begun with other weights or settings ({'; '.join(changes[:3])}); "
                "use --overwrite, or another output"
            )
        os.truncate(self.path, complete)

    def _extend(self, rows: list[TableRow]) -> None:
        """Take over a finished table, so that new images can be added to it."""
        with atomic_open(self.path) as file:
            file.write(_line(self._header))
            for _, group in groupby(rows, key=lambda row: row["source"]):
                file.write(_line(list(group)))
        for row in rows:
            self._know(row)

    def _know(self, row: TableRow) -> None:
        if row["error"] is None:
            self.sources.add(row["source"])

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
        self._write(rows)

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
                offsets[json.loads(line)[0]["source"]] = offset
                offset += len(line)
            for source in sorted(offsets, key=lambda source: rank.get(source, len(rank))):
                file.seek(offsets[source])
                yield from json.loads(file.readline())

    def remove(self) -> None:
        """The table is written; the journal has done its work."""
        self.path.unlink(missing_ok=True)


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
