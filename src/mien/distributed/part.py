"""One part: read its images, predict, write its rows. Every engine does just this, wherever it runs it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.distributed.collection import PartInfo, PartTask, made_from, part_name, read_inputs, write_part
from mien.distributed.filesystems import fetch, is_local
from mien.distributed.sources import Source
from mien.distributed.storage import Storage
from mien.errors import ImageError, InputError, OptionError
from mien.media.images import read_first_frame
from mien.media.resume import differences
from mien.media.sniff import is_video
from mien.media.work import map_bounded
from mien.pipeline.batch import stream
from mien.pipeline.image_files import predict_image_files
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import TableRow, rows_of
from mien.pipeline.table import schema, to_arrow
from mien.results import ImageResult

_CHUNK = 10_000  # rows held as Python values
FETCHED_AHEAD = 8  # files of an object store that are held before they are decoded
_ENDED = "ended the process that read it, twice; look at it alone with mien predict"


class VideoOptions(TypedDict, total=False):
    """Which frames of videos are examined, whether scores are smoothed and reused: as in `mien.BatchOptions`."""

    fps: float | None
    every: int
    start_s: float
    end_s: float | None
    smoothing: bool
    reuse_scores: bool


class Ledger(Protocol):
    """Remembers across processes that end which part each was at, so that one image cannot end them for ever."""

    def begin(self, index: int) -> tuple[bool, frozenset[str]]:
        """A process begins a part: whether an earlier one ended in it, and images that ended two."""
        ...

    def reading(self, index: int, name: str) -> None:
        """It is at this image now."""
        ...

    def end(self, index: int) -> None:
        """It has finished the part."""
        ...


class NoLedger:
    """Where the process that predicts is the one that would remember."""

    def begin(self, index: int) -> tuple[bool, frozenset[str]]:  # noqa: D102
        return False, frozenset()

    def reading(self, index: int, name: str) -> None:  # noqa: D102
        return

    def end(self, index: int) -> None:  # noqa: D102
        return


@dataclass(frozen=True, slots=True)
class PartDone:
    """A part that has been written."""

    index: int
    images: int
    faces: int
    errors: int
    worker: str  # host name and process


@dataclass(frozen=True)
class Job:
    """What a worker needs, on whatever machine: picklable and small."""

    storage: Storage
    settings: Mapping[str, Any]  # of the collection
    load: Callable[[], Recognizer]  # makes the recognizer
    detect: bool
    video: VideoOptions


class PartWorker:
    """A loaded recognizer that makes one part after another.

    Raises `OptionError` where this machine's version or weights are not those of the collection.
    """

    def __init__(self, job: Job, ledger: Ledger | None = None) -> None:
        self._job, self._ledger = job, ledger or NoLedger()
        self._recognizer: Recognizer = job.load()
        here = settings_of(self._recognizer, detect=job.detect, video=job.video)
        if changes := differences(job.settings, here):
            raise OptionError(
                f"{socket.gethostname()} would predict otherwise than the machine that began "
                f"({'; '.join(changes[:3])}); install the same version and weights on all"
            )

    def __call__(self, task: PartTask) -> PartDone:
        """Make one part."""
        sources = read_inputs(self._job.storage, task.index)
        careful, bad = self._ledger.begin(task.index)
        kept = self._kept(task.index) if task.again else {}
        _check_seen(sources)
        labels, counts = self._recognizer.labels, {"faces": 0, "errors": 0}
        tables, rows = list[pa.Table](), list[TableRow]()
        for source, content in _fetched(sources, skip=kept.keys() | bad):
            if careful:
                self._ledger.reading(task.index, source.name)
            error = _ENDED if source.name in bad else source.error
            failed = False
            for row in kept.get(source.name) or self._rows(source, error, content):
                failed |= row["error"] is not None
                counts["faces"] += row["face"] is not None
                rows.append(row)
                if len(rows) == _CHUNK:
                    tables.append(to_arrow(rows, labels))
                    rows.clear()
            counts["errors"] += failed
        info = PartInfo(made_from(sources, self._job.settings), len(sources), **counts)
        write_part(self._job.storage, task.index, pa.concat_tables([*tables, to_arrow(rows, labels)]), info)
        self._ledger.end(task.index)
        return PartDone(task.index, len(sources), **counts, worker=f"{socket.gethostname()}:{os.getpid()}")

    def _kept(self, index: int) -> dict[str, list[TableRow]]:
        """Rows of a part that is there, but for the images that could not be read."""
        content = self._job.storage.read(part_name(index))
        if content is None:
            return {}
        rows = pq.read_table(pa.BufferReader(content), schema=schema(self._recognizer.labels)).to_pylist()
        groups = ((name, list(group)) for name, group in groupby(rows, key=lambda row: row["source"]))
        return {name: group for name, group in groups if all(row["error"] is None for row in group)}

    def _rows(self, source: Source, error: str | None, content: bytes | ImageError | None) -> Iterator[TableRow]:
        results: Iterable[ImageResult]
        path = os.fsdecode(source.address)
        predict = partial(predict_image_files, recognizer=self._recognizer, detect=self._job.detect)
        if error is not None:
            results = [ImageResult(source.name, error=error)]
        elif isinstance(content, ImageError):
            results = [ImageResult(source.name, error=content.reason)]
        elif content is not None:
            results = predict([path], read=partial(_decoded, content, source.name))
        elif is_video(path):
            results = stream(self._recognizer, [path], detect=self._job.detect, workers=1, **self._job.video)
        else:
            results = predict([path])
        for result in results:
            yield from rows_of(replace(result, source=source.name), self._recognizer.labels)


def settings_of(recognizer: Recognizer, *, detect: bool, video: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that decides the rows of a collection."""
    return recognizer.describe() | {"detect": detect, "video": dict(video)}


def _decoded(content: bytes, name: str, _item: str) -> tuple[np.ndarray, int]:
    return read_first_frame(content, name=name)


def _fetched(
    sources: list[Source], *, skip: set[str] | frozenset[str]
) -> Iterator[tuple[Source, bytes | ImageError | None]]:
    """Sources with the content of those that are not files of this machine."""

    def content(source: Source) -> tuple[Source, bytes | ImageError | None]:
        address = os.fsdecode(source.address)
        if source.error is not None or source.name in skip or is_local(address):
            return source, None
        try:
            return source, fetch(address, source.name)
        except ImageError as error:
            return source, error

    remote = any(not is_local(os.fsdecode(source.address)) for source in sources)
    return map_bounded(content, sources, workers=4, ahead=FETCHED_AHEAD) if remote else map(content, sources)


def _check_seen(sources: list[Source]) -> None:
    """Raises `InputError` where this machine lacks every file that was there when the parts were planned."""
    planned = [source for source in sources if source.size is not None and is_local(os.fsdecode(source.address))]
    if planned and not any(os.path.exists(os.fsdecode(source.address)) for source in planned):
        folder = Path(os.fsdecode(planned[0].address)).parent
        raise InputError(
            f"{socket.gethostname()} does not see {folder}, nor any other file of this part; mount it on every "
            "machine, or name the images by addresses that all can open"
        )
