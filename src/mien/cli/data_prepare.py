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
from mien.datasets import dataset_info
from mien.datasets.samples import Reading
from mien.errors import DataError
from mien.prepared.build import NOT_FOUND, Report, prepare
from mien.prepared.face_canvas import CanvasSettings


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
    overwrite: bool
    quiet: bool


def prepare_command(request: Request) -> int:
    """0: every image is stored; 1: some could not be read."""
    info = dataset_info(request.name)
    faces: Literal["crop", "photo"] = "photo" if info.shows(request.variant) == "photo" else "crop"
    if request.crops is not None:
        faces = "crop" if request.crops else "photo"
    settings = CanvasSettings(faces=faces, canvas_px=request.size, template=request.template)
    reading = info.reading(request.folder, variant=request.variant)
    if not len(reading.samples):
        reading.checked()
        raise DataError(f"{request.folder} holds no image of {info.name}; its layout:\n{info.layout}")
    with progress("preparing", len(reading.samples), quiet=request.quiet) as bar:
        report = prepare(
            info,
            reading.samples,
            request.out,
            settings,
            variant=request.variant,
            jobs=request.jobs or os.cpu_count() or 1,
            overwrite=request.overwrite,
            watch=bar.reach,
        )
    if not request.quiet:
        for line in _lines(request, reading, report):
            print(line, file=sys.stderr)  # noqa: T201
    return 1 if report.header.unreadable else 0


def _lines(request: Request, reading: Reading, report: Report) -> Iterator[str]:
    info = report.header
    images = sum(shard.rows for shard in info.shards)
    finished = " was finished already" if not report.now else ""
    yield (
        f"{request.out}{finished}: {counted(images, 'face')} of {info.title} in "
        f"{counted(len(info.shards), 'shard')}, {report.bytes / 1e6:,.0f} MB"
    )
    if report.now and report.before:
        yield f"{counted(report.now, 'image')} done now, {report.before:,} before"
    if info.not_found:
        share = info.not_found / max(images, 1)
        yield f"no face was found in {info.not_found:,} ({share:.1%}); they are kept and marked: {NOT_FOUND}"
    if info.unreadable:
        yield f"{counted(info.unreadable, 'image')} could not be read, left out: {NOT_FOUND}"
    if reading.problems:
        yield (
            f"{counted(len(reading.problems), 'broken row')} of the set left out, "
            f"first: {reading.problems[0]}\nmien data check {request.name} lists them"
        )
