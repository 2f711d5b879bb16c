"""`mien data prepare`: a set to shards of aligned faces, with a progress bar and a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.data import data_set
from mien.data.samples import Reading
from mien.errors import DataError
from mien.pipeline.face_canvas import CanvasSettings
from mien.pipeline.prepare import NOT_FOUND, Report, prepare


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    name: str
    folder: Path
    out: Path
    variant: str
    size: int
    jobs: int
    crops: bool | None
    fresh: bool
    quiet: bool


def prepare_command(request: Request) -> int:
    """0: every picture is stored; 1: some could not be read."""
    record = data_set(request.name)
    faces: Literal["crop", "photo"] = "photo" if record.faces == "photo" else "crop"
    if request.crops is not None:
        faces = "crop" if request.crops else "photo"
    settings = CanvasSettings(faces=faces, canvas_px=request.size)
    reading = record.reading(request.folder, variant=request.variant)
    if not len(reading.samples):
        reading.checked()
        raise DataError(f"{request.folder} holds no picture of {record.name}; its layout:\n{record.layout}")
    with _progress(len(reading.samples), request.quiet) as advance:
        report = prepare(
            record,
            reading.samples,
            request.out,
            settings,
            variant=request.variant,
            jobs=request.jobs or os.cpu_count() or 1,
            fresh=request.fresh,
            watch=advance,
        )
    if not request.quiet:
        for line in _lines(request, reading, report):
            print(line, file=sys.stderr)  # noqa: T201
    return 1 if report.record.unreadable else 0


def _lines(request: Request, reading: Reading, report: Report) -> Iterator[str]:
    record = report.record
    pictures = sum(shard.rows for shard in record.shards)
    finished = " was finished already" if not report.now else ""
    yield (
        f"{request.out}{finished}: {pictures:,} faces of {record.title} in {len(record.shards)} shards, "
        f"{report.bytes / 1e6:,.0f} MB"
    )
    if report.now and report.before:
        yield f"{report.now:,} pictures done now, {report.before:,} before"
    if record.not_found:
        share = record.not_found / max(pictures, 1)
        yield f"no face was found in {record.not_found:,} ({share:.1%}); they are kept and marked: {NOT_FOUND}"
    if record.unreadable:
        yield f"{record.unreadable:,} pictures could not be read and are left out: {NOT_FOUND}"
    if reading.problems:
        yield (
            f"{len(reading.problems):,} rows of the set are broken and left out, "
            f"first: {reading.problems[0]}\nmien data check {request.name} lists them"
        )


@contextmanager
def _progress(count: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where a person watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("preparing"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown: list[TaskID] = []

        def advance(done: int) -> None:
            if not shown:  # what earlier runs did must not count as speed
                shown.append(bar.add_task("preparing", total=count, completed=done, rate=""))
                return
            speed = bar.tasks[0].speed
            bar.update(shown[0], completed=done, rate=f"{speed:.0f}/s" if speed else "")

        yield advance
