"""`mien data prepare`: a set to shards of aligned faces, with a progress bar and a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.cli.output import counted
from mien.cli.progress import progress
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
    template: str
    jobs: int
    crops: bool | None
    fresh: bool
    quiet: bool


def prepare_command(request: Request) -> int:
    """0: every picture is stored; 1: some could not be read."""
    record = data_set(request.name)
    faces: Literal["crop", "photo"] = "photo" if record.shows(request.variant) == "photo" else "crop"
    if request.crops is not None:
        faces = "crop" if request.crops else "photo"
    settings = CanvasSettings(faces=faces, canvas_px=request.size, template=request.template)
    reading = record.reading(request.folder, variant=request.variant)
    if not len(reading.samples):
        reading.checked()
        raise DataError(f"{request.folder} holds no picture of {record.name}; its layout:\n{record.layout}")
    with progress("preparing", len(reading.samples), quiet=request.quiet) as bar:
        report = prepare(
            record,
            reading.samples,
            request.out,
            settings,
            variant=request.variant,
            jobs=request.jobs or os.cpu_count() or 1,
            fresh=request.fresh,
            watch=bar.reach,
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
        f"{request.out}{finished}: {counted(pictures, 'face')} of {record.title} in "
        f"{counted(len(record.shards), 'shard')}, {report.bytes / 1e6:,.0f} MB"
    )
    if report.now and report.before:
        yield f"{counted(report.now, 'picture')} done now, {report.before:,} before"
    if record.not_found:
        share = record.not_found / max(pictures, 1)
        yield f"no face was found in {record.not_found:,} ({share:.1%}); they are kept and marked: {NOT_FOUND}"
    if record.unreadable:
        yield f"{counted(record.unreadable, 'picture')} could not be read, left out: {NOT_FOUND}"
    if reading.problems:
        yield (
            f"{counted(len(reading.problems), 'broken row')} of the set left out, "
            f"first: {reading.problems[0]}\nmien data check {request.name} lists them"
        )
