"""Many pictures into one table: in parallel, past bad files, and resumable after a kill.

While a table is being made, its finished rows stand in a journal beside it, one line per picture. A run that
finds a journal keeps its whole lines and goes on; the table itself is written once, at the end.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from mien.errors import MienError, OutputError, PictureError
from mien.labels import LabelSet
from mien.media.images import pictures_in
from mien.pipeline.table import Row, check_suffix, read_table, row_of_error, rows_of, to_arrow, write_table
from mien.results import Face

if TYPE_CHECKING:
    import pyarrow


class PictureReader(Protocol):
    """What a batch needs of a `mien.Reader`."""

    @property
    def labels(self) -> LabelSet:
        """The classes of the answers."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that decides the answers, as plain values."""
        ...

    def predict(self, source: Any, *, crop: bool = False) -> list[Face]:
        """The faces of one picture."""
        ...


class Watcher(Protocol):
    """Told about every picture as it is finished, in order: for progress bars and saved pictures."""

    def __call__(self, source: Path, faces: list[Face] | None, rows: list[Row]) -> None:
        """`faces` is None where the source could not be read."""
        ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a batch is run. What changes the rows is kept with them, so that two ways never mix."""

    crops: bool = False  # every picture is one face crop
    fresh: bool = False  # start over instead of resuming
    workers: int = 0  # pictures at once; 0: one per core


def expand(sources: Iterable[Path]) -> list[Path | PictureError]:
    """Files as given and the pictures below folders, each once; unreadable folders as their errors."""
    found: dict[str, Path | PictureError] = {}
    for source in sources:
        for item in pictures_in(source) if source.is_dir() else (source,):
            found.setdefault(name_of(item), item)
    return list(found.values())


def name_of(item: Path | PictureError) -> str:
    """What the table calls a source: the path as given."""
    return item.source if isinstance(item, PictureError) else os.fspath(item)


def collect(
    reader: PictureReader, sources: list[Path], *, output: Path | None, settings: Settings
) -> pyarrow.Table:
    """The whole table in memory, and in `output` if given."""
    items = expand(sources)
    if output is None:
        rows = [row for _, _, part in read_all(reader, items, settings) for row in part]
    else:
        predict_to(reader, items, output, settings)
        rows = read_table(output, reader.labels)
    return to_arrow(rows, reader.labels)


def read_all(
    reader: PictureReader, items: list[Path | PictureError], settings: Settings
) -> Iterator[tuple[Path, list[Face] | None, list[Row]]]:
    """(source, faces or None, rows) in the order of `items`, several at a time, in bounded memory."""

    def read(item: Path | PictureError) -> tuple[Path, list[Face] | None, list[Row]]:
        if isinstance(item, PictureError):
            return Path(item.source), None, [row_of_error(item.source, item.reason, reader.labels)]
        name = os.fspath(item)
        try:
            faces = reader.predict(item, crop=settings.crops)
        except PictureError as error:
            return item, None, [row_of_error(name, error.reason, reader.labels)]
        except (MienError, ValueError, ArithmeticError, MemoryError) as error:
            # one strange picture must not end the run
            return item, None, [row_of_error(name, f"could not be read ({error})", reader.labels)]
        return item, faces, rows_of(name, faces, reader.labels)

    workers = settings.workers or os.cpu_count() or 1
    waiting: deque[Future[tuple[Path, list[Face] | None, list[Row]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(read, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def predict_to(
    reader: PictureReader,
    items: list[Path | PictureError],
    output: Path,
    settings: Settings,
    watch: Watcher | None = None,
) -> int:
    """Write the table `output`; rows it or its journal already hold are kept. Returns the sources read now.

    Raises `OutputError` where the folder is missing, the disk is full, or the rows begun belong to other settings.
    """
    check_suffix(output)
    journal = Journal(output, reader, settings)
    todo = [item for item in items if name_of(item) not in journal.sources]
    with _plain_disk_errors(output):
        with journal:
            for source, faces, rows in read_all(reader, todo, settings):
                journal.add(rows)
                if watch is not None:
                    watch(source, faces, rows)
        order = {name_of(item): i for i, item in enumerate(items)}
        write_table(journal.rows(order), reader.labels, output)
        journal.remove()
    return len(todo)


class Journal:
    """Finished rows beside the output, `NAME.partial`: a line of settings, then one line per source.

    A line cut off by a kill is dropped when the journal is opened again.
    """

    def __init__(self, output: Path, reader: PictureReader, settings: Settings) -> None:
        self.path = output.with_name(output.name + ".partial")
        self.labels: LabelSet = reader.labels
        self._header = reader.describe() | {"crops": settings.crops}
        self.sources: set[str] = set()
        self._file: IO[str] | None = None
        if settings.fresh:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._keep_whole_lines()
        elif output.exists():
            self._start(read_table(output, reader.labels))

    def _keep_whole_lines(self) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.decode("utf-8").splitlines()
        if not lines:
            self.path.unlink()
            return
        if json.loads(lines[0]) != self._header:
            raise OutputError(
                f"{self.path} was begun with other weights or settings; use --fresh, or another output"
            )
        if len(whole) != len(data):
            os.truncate(self.path, len(whole))
        self._know(json.loads(line) for line in lines[1:])

    def _know(self, groups: Iterable[list[Row]]) -> None:
        """Sources with an answer are done; those with an error are tried again."""
        self.sources = {rows[0]["source"] for rows in groups if rows[0]["error"] is None}

    def _start(self, rows: list[Row]) -> None:
        """Take over a finished table, so that new pictures can be added to it."""
        by_source: dict[str, list[Row]] = {}
        for row in rows:
            by_source.setdefault(row["source"], []).append(row)
        half = self.path.with_name(self.path.name + ".half")
        with half.open("w", encoding="utf-8") as file:
            for value in (self._header, *by_source.values()):
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
        half.replace(self.path)
        self._know(by_source.values())

    def __enter__(self) -> Journal:
        new = not self.path.exists()
        self._file = self.path.open("a", encoding="utf-8")
        if new:
            self._file.write(json.dumps(self._header, ensure_ascii=False) + "\n")
            self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk; the lines before stay whole
                self._file.close()
            self._file = None

    def add(self, rows: list[Row]) -> None:
        """Write the rows of one source."""
        if self._file is None:
            raise RuntimeError("the journal is not open")
        self._file.write(json.dumps(rows, ensure_ascii=False) + "\n")
        self._file.flush()

    def rows(self, order: dict[str, int]) -> Iterator[Row]:
        """All rows: sources in the given order first, then those of earlier runs; of a source its last line."""
        offsets: dict[str, int] = {}
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                offsets[json.loads(line)[0]["source"]] = offset
                offset += len(line)
            for source in sorted(offsets, key=lambda source: order.get(source, len(order))):
                file.seek(offsets[source])
                yield from json.loads(file.readline())

    def remove(self) -> None:
        """The table is written; the journal has done its work."""
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _plain_disk_errors(output: Path) -> Iterator[None]:
    """System errors of writing as `OutputError` with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"{output}: the disk is full; free some space and run this again, finished rows are kept"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(f"{output}: the folder may not be written to; choose another --output") from error
        raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
