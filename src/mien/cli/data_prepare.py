"""`mien data prepare`: a progress bar and a report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.cli.progress import progress
from mien.prepared.build import PROBLEMS, PreparationReport, prepare
from mien.wording import counted


def prepare_command(name: str, folder: Path, out: Path, *, quiet: bool, **options: Any) -> int:
    """0: everything is stored; 1: images or rows were left out. `options` as `prepare` takes them."""
    with progress("preparing", quiet=quiet) as bar:
        report = prepare(name, folder, out, progress=bar, **options)
    if not quiet:
        for line in _lines(name, out, report):
            print(line, file=sys.stderr)  # noqa: T201
    return 1 if report.left_out else 0


def _lines(name: str, out: Path, report: PreparationReport) -> Iterator[str]:
    header = report.header
    images = sum(shard.rows for shard in header.shards)
    finished = " was finished already" if not report.now else ""
    yield (
        f"{out}{finished}: {counted(images, 'face')} of {header.title} in "
        f"{counted(len(header.shards), 'shard')}, {report.bytes / 1e6:,.0f} MB"
    )
    if report.now and report.before:
        yield f"{counted(report.now, 'image')} done now, {report.before:,} before"
    yield from (f"note: {note}" for note in report.notes)
    if header.undetected:
        share = header.undetected / max(images, 1)
        yield f"no face was detected in {header.undetected:,} ({share:.1%}); they are kept and marked: {PROBLEMS}"
    if header.rejected:
        share = header.rejected / max(images, 1)
        yield (
            f"in {header.rejected:,} ({share:.1%}) the face detected was too small, off the middle or outside the "
            f"set's own box; they are kept and marked: {PROBLEMS}"
        )
    if header.unreadable:
        yield f"{counted(header.unreadable, 'image')} could not be read, left out: {PROBLEMS}"
    if report.problems:
        yield (
            f"{counted(len(report.problems), 'problem')} of the set, rows left out: {PROBLEMS}; first: "
            f"{report.problems[0]}\nmien data check {name} shows them by kind"
        )
