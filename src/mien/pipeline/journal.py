"""The rows of a table that is being made, beside it: one line per image, and several for a long video.

A run that finds a journal keeps its complete lines and goes on; the table itself is written once, at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import IO, Any, Self, cast

from mien.errors import OutputError
from mien.labels import LabelSet
from mien.media.atomic import atomic_open
from mien.media.file_state import FileState, file_stamp, file_state, has_content, unchanged
from mien.media.lock import lock
from mien.media.resume import differences
from mien.pipeline.rows import TableRow

_ROWS_A_LINE = 5_000  # of a table that is taken over


class Journal:
    """Finished rows beside the output, `NAME.partial`: a line of settings, then the lines of each source.

    A line cut off by a kill is dropped when the journal is opened again. `files`: the paths of this run's sources,
    None where one is no file. `sources` are those that need no other prediction: sources with an error or changed
    since are read again. `checkpoints` has, for sources that are done in part, what the last line says of where to
    go on. Beside a finished table `NAME.settings` keeps the lines without the rows.
    """

    def __init__(
        self,
        output: Path,
        settings: Mapping[str, Any],
        labels: LabelSet,
        files: Mapping[str, str | None],
        *,
        overwrite: bool,
    ) -> None:
        self.path, self.labels = output.with_name(output.name + ".partial"), labels
        self.output, self.settings_path = output, output.with_name(output.name + ".settings")
        self.sources: set[str] = set()
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self._parts: dict[str, int] = {}  # lines of the sources that are done in part
        self._header, self._files = dict(settings), files
        self._spelled = {os.path.abspath(path): source for source, path in files.items() if path is not None}
        self._stamps = {source: None if path is None else file_stamp(path) for source, path in files.items()}
        self._known: set[str] = set()  # sources of earlier runs
        self._others: dict[str, Sequence[int | str]] = {}  # files of earlier runs that this one does not name
        self._renamed: list[str] = []  # those of them that this run is given under a new name
        self._states: dict[str, FileState | None] = {}  # of what is being written
        self._file: IO[bytes] | None = None
        if self.path.exists():
            with self._open("r+b") as file:
                if overwrite:
                    self.path.unlink()
                else:
                    self._resume(file)
        elif output.exists() and not overwrite:
            self._extend()
        self._check_names()

    def _open(self, mode: str) -> IO[bytes]:
        """The journal, which no other process writes. Raises `OutputError`."""
        file = cast("IO[bytes]", self.path.open(mode))
        if not lock(file):
            file.close()
            raise OutputError(
                f"{self.output} is being written by another run of mien; wait for its end, or choose another output"
            )
        return file

    def _resume(self, file: IO[bytes]) -> None:
        complete = 0
        header: dict[str, Any] | None = None
        try:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                if header is None:
                    header = dict(json.loads(line))
                else:
                    self._know(_read_line(line))
                complete += len(line)
        except (ValueError, LookupError, TypeError):
            raise OutputError(f"{self.path} is no journal of mien; remove it, or choose another output") from None
        if header is not None:
            self._check(self.path, "begun", header)
        file.truncate(complete)

    def _extend(self) -> None:
        """Take over a finished table, so that new images can be added to it."""
        from mien.pipeline.table import read_table

        try:
            lines = self.settings_path.read_bytes().splitlines()
            header, files = json.loads(lines[0]), dict(map(json.loads, lines[2:]))
            as_made = unchanged(str(self.output), json.loads(lines[1]))
        except FileNotFoundError:
            read_table(self.output, self.labels)  # what is no table at all is said first
            header, files, as_made = None, {}, False
        except (ValueError, LookupError, TypeError):
            header, files, as_made = None, {}, False
        if header is None:
            raise OutputError(
                f"{self.output} is there, and {self.settings_path.name} does not say how it was made; "
                "use --overwrite, or another output"
            )
        self._check(self.output, "made", header)
        if not as_made:
            raise OutputError(f"{self.output} was edited after it was made; use --overwrite, or another output")
        batches = read_table(self.output, self.labels).to_batches(max_chunksize=_ROWS_A_LINE)
        rows = (row for batch in batches for row in batch.to_pylist())
        with atomic_open(self.path) as file:
            file.write(_line(self._header))
            for source, group in groupby(rows, key=lambda row: row["source"]):
                parts = iter(partial(_take, group), [])
                of_source: list[TableRow] = next(parts)
                part = 0
                for following in chain(parts, ([],)):
                    line = _Line(source, files.get(source), of_source, part, more=bool(following))
                    file.write(line.to_bytes())
                    self._know(line)
                    part, of_source = part + 1, following

    def _check(self, path: Path, made: str, header: Mapping[str, Any]) -> None:
        if changes := differences(header, self._header):
            raise OutputError(
                f"{path} was {made} with other weights or settings ({'; '.join(changes[:3])}); "
                "use --overwrite, or another output"
            )

    def _know(self, line: _Line) -> None:
        source, path = line.source, self._files.get(line.source)
        if (spelled := self._spelled.get(os.path.abspath(source), source)) != source:
            raise self._twice(source, spelled)
        self._known.add(source)
        if path is None and line.file is not None:
            self._others[source] = line.file
        self.sources.discard(source)
        self.checkpoints.pop(source, None)
        self._parts.pop(source, None)
        good = not line.rows or line.rows[-1]["error"] is None
        if not (good and path is not None and unchanged(path, line.file)):
            return
        if not line.more:
            self.sources.add(source)
        elif line.checkpoint is not None:
            self.checkpoints[source], self._parts[source] = line.checkpoint, line.part + 1

    def _check_names(self) -> None:
        """Files of earlier runs that were renamed since, whose rows go: they are predicted under their new name.

        Raises `OutputError` for a file that an earlier run named otherwise, from another folder, say.
        """
        new: dict[object, list[str]] = {}
        for source, stamp in self._stamps.items():
            if stamp is not None and source not in self.sources and source not in self.checkpoints:
                new.setdefault(stamp[:2], []).append(source)
        for source, state in self._others.items():
            for given in new.get(tuple(state[:2]), ()):
                path = self._files[given]
                if path is None or not has_content(path, state):
                    continue
                if given not in self._known and self._stamps[given] == tuple(state[:3]):
                    raise self._twice(source, given)  # a rename would have changed the system's own time
                if not os.path.exists(source):
                    self._renamed.append(source)
                    break

    def _twice(self, source: str, given: str) -> OutputError:
        return OutputError(
            f"{self.output} has {source}, which is given as {given} now and would count twice; "
            "give it as before, or use --overwrite"
        )

    def __enter__(self) -> Self:
        self._file = self._open("ab")
        try:
            if self._file.tell() == 0:
                self._write(_line(self._header))
            for source in self._renamed:
                self._write(_Line(source, None, []).to_bytes())
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # on a full disk the lines before stay complete
                self._file.close()
            self._file = None

    def add(self, source: str, rows: list[TableRow], *, checkpoint: dict[str, Any] | None = None) -> None:
        """Write rows of one source. `checkpoint`: more follow, from there; None: it is done."""
        part = self._parts.pop(source, 0)
        more = checkpoint is not None
        self._write(_Line(source, self._state(source), rows, part, more, checkpoint).to_bytes())
        if more:
            self._parts[source] = part + 1

    def _state(self, source: str) -> FileState | None:
        """Of its file, which is read once; None where it has changed since this run began, or is no file."""
        path, stamp = self._files.get(source), self._stamps.get(source)
        if path is None or stamp is None:
            return None
        if source not in self._states or file_stamp(path) != stamp:
            self._states = {source: file_state(path, stamp)}
        return self._states[source]

    def _write(self, line: bytes) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        self._file.write(line)
        self._file.flush()

    def rows(self, order: Sequence[str]) -> Iterator[TableRow]:
        """All rows: sources in the given order first, then those of earlier runs; of a source its last lines."""
        offsets: dict[str, list[int]] = {}
        rank = {source: i for i, source in enumerate(order)}
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for text in file:
                line = _read_line(text)
                offsets[line.source] = [*offsets.get(line.source, []), offset] if line.part else [offset]
                offset += len(text)
            for source in sorted(offsets, key=lambda source: rank.get(source, len(rank))):
                for start in offsets[source]:
                    file.seek(start)
                    yield from _read_line(file.readline()).rows

    def finish(self) -> None:
        """The table is written: keep how it was made, and from which files; the journal has done its work."""
        files: dict[str, Any] = {}
        with self.path.open("rb") as journal, atomic_open(self.settings_path) as file:
            file.write(journal.readline() + _line(file_state(str(self.output))))
            for line in map(_read_line, journal):
                files[line.source] = line.file
                if not line.rows and not line.part:  # renamed since
                    del files[line.source]
            file.writelines(map(_line, files.items()))
        self.path.unlink(missing_ok=True)


def sources_in(output: Path) -> list[str]:
    """The sources that a finished table has, of this run and of earlier ones; none where it does not say."""
    try:
        lines = output.with_name(output.name + ".settings").read_bytes().splitlines()[2:]
        return [str(json.loads(line)[0]) for line in lines]
    except (OSError, ValueError, LookupError):
        return []


@dataclass(frozen=True)
class _Line:
    """Rows of one source. `part`: 0 begins it anew. `more`: others follow, from `checkpoint` on."""

    source: str
    file: Sequence[int | str] | None
    rows: list[TableRow]
    part: int = 0
    more: bool = False
    checkpoint: dict[str, Any] | None = None

    def to_bytes(self) -> bytes:
        return _line(vars(self))


def _take(rows: Iterator[TableRow]) -> list[TableRow]:
    return list(islice(rows, _ROWS_A_LINE))


def _read_line(line: bytes) -> _Line:
    return _Line(**json.loads(line))


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
