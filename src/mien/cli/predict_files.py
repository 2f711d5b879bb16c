"""`mien predict` of images and videos on this machine."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.cli.output import writing
from mien.cli.predict_table import print_table
from mien.cli.predict_video import TrackLines
from mien.cli.progress import progress
from mien.cli.run_summary import RunSummary
from mien.cli.terminal import one_line, warn
from mien.errors import InputError, OptionError
from mien.media.sniff import is_video
from mien.pipeline.batch import images_of
from mien.pipeline.image_files import name_of
from mien.pipeline.journal import sources_in
from mien.pipeline.loading import load
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import TableRow, check_suffix, rows_of
from mien.results import ImageResult, VideoFrame

_EVERY_FRAME = {"fps": None, "every": 1, "start_s": 0.0, "end_s": None}


@dataclass(frozen=True)
class Outputs:
    """What a run leaves behind, as the options of `mien predict` say it; `drawn`: the parts of --draw."""

    table: Path | None
    as_json: bool
    save: Path | None
    annotated: Path | None
    drawn: Sequence[str]
    anonymize: str | None
    explain: Path | None
    explain_method: str


def predict_files(
    sources: list[str],
    outputs: Outputs,
    *,
    detect: bool,
    loading: dict[str, Any],
    frames: dict[str, Any],
    overwrite: bool,
    quiet: bool,
) -> int:
    """Predict, write and show. 0: done; 1: a file could not be read.

    `loading`: options of `mien.load`; `frames`: those of `BatchOptions` for videos. Raises `OptionError`,
    `InputError` or `OutputError` before anything is predicted for what would fail after it.
    """
    if outputs.table is not None:
        check_suffix(outputs.table)
    images = images_of(sources, leave_out=outputs.save)
    if not images:
        raise InputError(f"{', '.join(sources)}: no image or video there; name some, or a folder with some")
    videos = [item for item in images if isinstance(item, str) and is_video(item)]
    _check(outputs, len(images), videos, frames)
    recognizer = load(**loading, threads=1 if len(images) > 1 or videos else 0)
    overlays = None
    if outputs.explain is not None:
        from mien.explanation.faces import FaceOverlays

        names = [item for item in images if isinstance(item, str) and item not in videos]
        overlays = FaceOverlays(recognizer, outputs.explain_method, outputs.explain, sources, names)
    summary, shown, annotated = RunSummary(len(images)), _Shown(recognizer, outputs), outputs.annotated
    with ExitStack() as stack:
        table = outputs.table
        if annotated is not None and table is None:
            table = Path(stack.enter_context(TemporaryDirectory())) / "rows.parquet"
        bar = stack.enter_context(progress("predicting", None if videos else len(images), quiet=quiet))
        results = recognizer.stream(
            sources, detect=detect, output=table, save=outputs.save, overwrite=overwrite, workers=0, progress=bar,
            draw=outputs.drawn, anonymize=outputs.anonymize, **frames,
        )  # fmt: skip
        for result in results:
            summary.add(result)
            if result.error is not None:
                bar.write(f"mien: {one_line(result.source)}: {result.error}")
            if overlays is not None and outputs.explain is not None:
                with writing(outputs.explain):
                    overlays.write(result)
            if result.frames > 1:
                bar.write(f"mien: {one_line(result.source)}: only the first of {result.frames} pages is read")
            shown.add(result)
        if summary.failed and not summary.frames:
            annotated = None
        if annotated is not None and table is not None:
            _annotate(videos[0], table, annotated, outputs, quiet=quiet)
    shown.print()
    if outputs.anonymize is not None and not quiet:
        warn("faces that were not detected are not covered; look through all before you share it")
    written = (outputs.table, outputs.save, outputs.explain)
    if not quiet and (any(written) or len(images) > 1 or videos):
        others = set() if outputs.table is None else {*sources_in(outputs.table)} - {*map(name_of, images)}
        bar.write(summary.sentence(outputs.table, others=others) + (f"; video: {annotated}" if annotated else ""))
        for line in summary.expressions():
            bar.write(line)
        resumed = summary.before or others
        if outputs.table is not None and (videos or resumed):
            what = "expressions in the whole table" if resumed else "seconds of each expression in videos"
            bar.write(f"  {what}: mien summary {shlex.quote(str(outputs.table))}")
    return 1 if summary.failed else 0


def _check(outputs: Outputs, images: int, videos: list[str], frames: dict[str, Any]) -> None:
    """Refuses outputs that cannot be of these sources, and says which options do nothing for them."""
    if not videos and any(frames[name] != value for name, value in _EVERY_FRAME.items()):
        warn("--fps, --every, --start and --end are for videos, and there is none")
    if outputs.annotated is not None:
        if images != 1 or not videos:
            raise OptionError("--annotated is for one video; give one, or --save for images")
        from mien.pipeline.annotate import check_annotated

        check_annotated(outputs.annotated, videos[0], outputs.drawn)
    if outputs.save is not None and videos:
        warn("--save is for images; of a video, --annotated writes a marked copy")
    if outputs.explain is not None and videos:
        warn("--explain is for images; frames of videos are not explained")


def _annotate(video: str, rows: Path, output: Path, outputs: Outputs, *, quiet: bool) -> None:
    from mien.pipeline.annotate import annotate_video
    from mien.pipeline.read import read_columns

    with progress("drawing", None, quiet=quiet) as bar:
        annotate_video(
            video, read_columns(rows)[1], output, draw=outputs.drawn, anonymize=outputs.anonymize, progress=bar
        )


class _Shown:
    """The rows on stdout: as JSON at once, or as tables of faces and tracks at the end; nothing beside a file."""

    def __init__(self, recognizer: Recognizer, outputs: Outputs) -> None:
        self._classes = recognizer.labels
        self._threshold = recognizer.network.confidence_threshold
        self._as_json, self._in_file = outputs.as_json, outputs.table is not None
        self._faces: list[TableRow] = []
        self._tracks = TrackLines()

    def add(self, result: ImageResult) -> None:
        """One more result; with --json its rows are printed."""
        if self._as_json:
            sys.stdout.writelines(json.dumps(row) + "\n" for row in rows_of(result, self._classes))
        elif self._in_file:
            return
        elif isinstance(result, VideoFrame):
            self._tracks.add(result)
        else:
            self._faces += rows_of(result, self._classes)

    def print(self) -> None:
        """The tables."""
        if self._faces:
            print_table(self._faces, [f"p_{label}" for label in self._classes], self._threshold)
        self._tracks.print()
