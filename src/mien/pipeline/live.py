"""The table of a live source: its rows are on the disk at once, the table is complete however the run ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mien.errors import OutputError
from mien.labels import LabelSet
from mien.media.disk import plain_disk_errors
from mien.pipeline.rows import TableRow, check_suffix
from mien.pipeline.table import write_all


class LiveTable:
    """A context that writes rows to `NAME.partial` as JSON lines, and the table at its end, after errors too.

    A source that gave no frame leaves no table, so that the same command can be repeated.

    Raises `OutputError` where the table, or the rows of a run that was killed, are there already.
    """

    def __init__(self, path: Path, labels: LabelSet, *, overwrite: bool = False) -> None:
        check_suffix(path)
        self.path, self._labels = path, labels
        self._partial = path.with_name(path.name + ".partial")
        self._file: IO[bytes] | None = None
        self.has_frames = False
        if not overwrite and path.exists():
            raise OutputError(f"{path} is there already; choose another name, or --overwrite to replace it")
        if not overwrite and self._partial.exists():
            raise OutputError(
                f"{self._partial} holds the rows of a run that was killed; keep it as NAME.jsonl, or --overwrite"
            )

    def __enter__(self) -> Self:
        with plain_disk_errors(self.path, option="--output"):
            self._file = self._partial.open("wb")
        return self

    def add(self, rows: list[TableRow]) -> None:
        """The rows of one frame."""
        if self._file is None:
            raise RuntimeError("the table is not open")
        self.has_frames |= any(row["error"] is None for row in rows)
        with plain_disk_errors(self.path, option="--output"):
            self._file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
            self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        with plain_disk_errors(self.path, option="--output"):
            if self.has_frames:
                write_all(self._rows, self._labels, self.path)
                self.path.with_name(self.path.name + ".settings").unlink(missing_ok=True)  # of the table before
            self._partial.unlink()

    def _rows(self) -> Iterator[TableRow]:
        with self._partial.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
