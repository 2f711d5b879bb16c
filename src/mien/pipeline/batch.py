"""Many images into one table: in parallel, past bad files, and resumable after a kill.

While a table is being made, its finished rows stand in a journal beside it, one line per image. A run that
finds a journal keeps its whole lines and goes on; the table itself is written once, at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from mien.errors import ImageError, OutputError
from mien.labels import LabelSet
from mien.media.disk import DISK_FULL, plain_disk_errors
from mien.media.images import images_in, read_image
from mien.pipeline.save import Saver
from mien.pipeline.table import (
    Row,
    check_suffix,
    read_table,
    row_of_error,
    rows_of,
    schema,
    to_arrow,
    write_table,
)
from mien.results import Face

if TYPE_CHECKING:
    import pyarrow


class Predictor(Protocol):
    """What a batch needs of a `mien.Recognizer`."""

    @property
    def labels(self) -> LabelSet:
        """The classes of the answers."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that decides the answers, as plain values."""
        ...

    def predict(self, source: Any, *, crop: bool = False) -> list[Face]:
        """The faces of one image."""
        ...


class Watcher(Protocol):
    """Told about every image as it is finished, in order: for progress bars and printed lines."""

    def __call__(self, faces: list[Face] | None, rows: list[Row]) -> None:
        """`faces` is None where the source could not be read."""
        ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a batch is run."""

    crops: bool = False  # every image is one face crop
    overwrite: bool = False  # start over instead of resuming
    workers: int = 2  # images at once
    save: Path | None = None  # folder for annotated images


@dataclass(frozen=True)
class Batch:
    """What is read: the sources as given, folders opened, each once; unreadable folders as their errors."""

    items: tuple[str | ImageError, ...]
    saver: Saver | None = None

    @classmethod
    def of(cls, given: Iterable[str | os.PathLike[str]], settings: Settings) -> Batch:
        """Identity into folders, and make sure that nothing will be overwritten."""
        names = [os.fspath(source) for source in given]
        saved = os.path.abspath(settings.save) + os.sep if settings.save else None
        found: dict[str, str | ImageError] = {}
        for name in names:
            inside = os.path.isdir(name)
            for item in images_in(name) if inside else (name,):
                if isinstance(item, ImageError):
                    found.setdefault(item.source, item)
                elif not (inside and saved and os.path.abspath(item).startswith(saved)):
                    found.setdefault(item, item)
        sources = [item for item in found.values() if isinstance(item, str)]
        saver = Saver(settings.save, names, sources) if settings.save else None
        return cls(tuple(found.values()), saver)


def name_of(item: str | ImageError) -> str:
    """What the table calls a source: the path as given; bytes that are no UTF-8 as backslash escapes."""
    name = item.source if isinstance(item, ImageError) else item
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def collect(
    recognizer: Predictor, given: Iterable[str | os.PathLike[str]], *, output: Path | None, settings: Settings
) -> pyarrow.Table:
    """The whole table in memory, and in `output` if given."""
    batch = Batch.of(given, settings)
    if output is None:
        rows = [row for _, part in read_all(recognizer, batch.items, settings, batch.saver) for row in part]
    else:
        predict_to(recognizer, batch, output, settings)
        rows = read_table(output, recognizer.labels)
    return to_arrow(rows, recognizer.labels)


def read_all(
    recognizer: Predictor, items: Iterable[str | ImageError], settings: Settings, saver: Saver | None = None
) -> Iterator[tuple[list[Face] | None, list[Row]]]:
    """(faces or None, rows) of each item, in order, several images at a time, in bounded memory."""

    def read(item: str | ImageError) -> tuple[list[Face] | None, list[Row]]:
        name = name_of(item)
        try:
            if isinstance(item, ImageError):
                raise item
            image = read_image(item)
            faces = recognizer.predict(image, crop=settings.crops)
            rows = rows_of(name, faces, recognizer.labels)
            if saver is not None:
                saver.save(item, image, faces)
        except ImageError as error:
            return None, [row_of_error(name, error.reason, recognizer.labels)]
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            reason = f"its annotated image cannot be saved ({error.strerror or error}); save elsewhere"
            return None, [row_of_error(name, reason, recognizer.labels)]
        except Exception as error:  # one strange image must not end the run
            reason = " ".join(f"could not be read ({type(error).__name__}: {error}); please report it".split())
            return None, [row_of_error(name, reason, recognizer.labels)]
        return faces, rows

    waiting: deque[Future[tuple[list[Face] | None, list[Row]]]] = deque()
    with ThreadPoolExecutor(settings.workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(read, item))
                if len(waiting) > 2 * settings.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def predict_to(
    recognizer: Predictor, batch: Batch, output: Path, settings: Settings, watch: Watcher | None = None
) -> int:
    """Write the table `output`; rows it or its journal already hold are kept. Returns the sources read now.

    Raises `OutputError` where the folder is missing, the disk is full, or the rows begun belong to other
    settings.
    """
    check_suffix(output)
    with plain_disk_errors(output, option="--output"):
        journal = Journal(output, recognizer, settings)
        todo = [item for item in batch.items if not journal.holds(item, batch.saver)]
        journal.open()
    try:
        results = read_all(recognizer, todo, settings, batch.saver)
        while True:
            with plain_disk_errors(output, option="--output"):
                result = next(results, None)
                if result is None:
                    break
                journal.add(result[1])
            if watch is not None:
                watch(*result)
    finally:
        journal.close()
    with plain_disk_errors(output, option="--output"):
        order = {name_of(item): i for i, item in enumerate(batch.items)}
        write_table(journal.rows(order), recognizer.labels, output)
        journal.remove()
    return len(todo)


class Journal:
    """Finished rows beside the output, `NAME.partial`: a line of settings, then one line per source.

    A line cut off by a kill is dropped when the journal is opened again.
    """

    def __init__(self, output: Path, recognizer: Predictor, settings: Settings) -> None:
        self.path = output.with_name(output.name + ".partial")
        self.labels: LabelSet = recognizer.labels
        columns = schema(recognizer.labels).names
        self._header = recognizer.describe() | {"crops": settings.crops, "columns": columns}
        self.sources: set[str] = set()
        self._file: IO[str] | None = None
        if settings.overwrite:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._keep_whole_lines()
        elif output.exists():
            self._start(read_table(output, recognizer.labels))

    def _keep_whole_lines(self) -> None:
        whole = 0
        header: object = None
        groups: list[list[Row]] = []
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    value = json.loads(line)
                    if header is None:
                        header = value
                    else:
                        groups.append([{key: value[0][key] for key in ("source", "error")}])
                    whole += len(line)
        except (ValueError, LookupError, TypeError):
            raise OutputError(f"{self.path} is no journal of mien; remove it, or choose another output") from None
        if header is not None and header != self._header:
            raise OutputError(
                f"{self.path} was begun with other weights or settings; use --overwrite, or another output"
            )
        os.truncate(self.path, whole)
        self._know(groups)

    def holds(self, item: str | ImageError, saver: Saver | None) -> bool:
        """Whether the rows of a source, and its annotated image if wanted, are there."""
        known = name_of(item) in self.sources
        return known and (saver is None or isinstance(item, ImageError) or saver.done(item))

    def _know(self, groups: Iterable[list[Row]]) -> None:
        """Sources with an answer are done; those with an error are tried again."""
        self.sources = {rows[0]["source"] for rows in groups if rows[0]["error"] is None}

    def _start(self, rows: list[Row]) -> None:
        """Take over a finished table, so that new images can be added to it."""
        by_source: dict[str, list[Row]] = {}
        for row in rows:
            by_source.setdefault(row["source"], []).append(row)
        half = self.path.with_name(self.path.name + ".half")
        with half.open("w", encoding="utf-8") as file:
            for value in (self._header, *by_source.values()):
                file.write(json.dumps(value) + "\n")
        half.replace(self.path)
        self._know(by_source.values())

    def open(self) -> None:
        """Begin or go on writing."""
        self._file = self.path.open("a", encoding="utf-8")
        if self._file.tell() == 0:
            self._write(self._header)

    def close(self) -> None:
        """Stop writing; on a full disk the lines before stay whole."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def add(self, rows: list[Row]) -> None:
        """Write the rows of one source."""
        self._write(rows)

    def _write(self, value: object) -> None:
        if self._file is None:
            raise RuntimeError("the journal is not open")
        self._file.write(json.dumps(value) + "\n")
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
