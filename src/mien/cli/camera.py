"""`mien camera`."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.options import Overwrite, Priors, Tta, Weights

if TYPE_CHECKING:
    from mien.cli.run_summary import RunSummary
    from mien.media.frames import FrameSource
    from mien.pipeline.recognizer import Recognizer


def camera(
    source: Annotated[
        str, typer.Argument(help="camera:0, camera:1, ... or an address: rtsp://..., http://...")
    ] = "camera:0",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the table here: .csv, .parquet, .jsonl or .xlsx.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Also keep the video, without annotations, as .mp4.")] = None,
    view: Annotated[
        str, typer.Option(help="window, terminal, none, or auto: a window if there is a screen, else the terminal.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per row.")] = False,
    fps: Annotated[float | None, typer.Option(help="Process at most this many frames per second.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    smoothing: Annotated[
        bool, typer.Option("--smoothing/--no-smoothing", help="Smooth scores over each track.")
    ] = True,
    weights: Weights = "default",
    priors: Priors = "default",
    tta: Tta = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Confidence threshold of certain predictions, 0 to 1. Default: that of the weights."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary at the end.")] = False,
) -> int:
    """Predict live from a camera or a stream, always the newest frame. Ctrl-C ends it; the table is complete."""
    return predict_live(
        source, output=output, record=record, view=view, as_json=as_json, fps=fps, seconds=seconds,
        smoothing=smoothing, overwrite=overwrite, quiet=quiet,
        loading={"weights": weights, "priors": priors, "tta": tta, "min_confidence": min_confidence},
    )  # fmt: skip


def predict_live(
    source: str, *, loading: dict[str, Any], view: str = "auto", as_json: bool = False, **options: Any
) -> int:
    """Also for `mien predict` of a camera or stream. `loading`: of `mien.load`; `options`: of `run_live`."""
    from mien.media.live import LiveStream
    from mien.pipeline.loading import load

    stream = LiveStream(source)
    view = "none" if as_json and view == "auto" else view
    return run_live(load(**loading), stream, view=view, as_json=as_json, **options)


def run_live(
    recognizer: Recognizer,
    source: FrameSource,
    *,
    output: Path | None = None,
    record: Path | None = None,
    view: str = "auto",
    as_json: bool = False,
    fps: float | None = None,
    seconds: float | None = None,
    smoothing: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Predict a live source until it ends, the person ends it, or it breaks off (1)."""
    from mien.cli.live_view import open_view
    from mien.cli.run_summary import RunSummary
    from mien.cli.terminal import one_line, warn
    from mien.media.frames import Sampling
    from mien.media.live import NewestFrames
    from mien.media.recording import Recording
    from mien.pipeline.live import LiveTable
    from mien.pipeline.rows import rows_of

    Sampling(fps=fps, end_s=seconds)  # raises for values that cannot be
    _check_record(record, overwrite=overwrite)
    summary, last_s = RunSummary(0), 0.0
    with ExitStack() as stack:
        table = stack.enter_context(LiveTable(output, recognizer.labels, overwrite=overwrite)) if output else None
        recording = stack.enter_context(Recording(record)) if record else None
        newest = stack.enter_context(NewestFrames(source, fps=fps, seconds=seconds, on_frame=recording))
        shown = stack.enter_context(open_view(view, one_line(source.name)))
        stack.enter_context(_interrupts())
        begin = time.monotonic()
        try:
            for result in recognizer.frames(newest, live=True, smoothing=smoothing, images=True):
                summary.add(result)
                last_s = result.time_s if result.time_s is not None else last_s
                rows = rows_of(result, recognizer.labels)
                if table is not None:
                    table.add(rows)
                if as_json:
                    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
                    sys.stdout.flush()
                rate = newest.given / max(time.monotonic() - begin, 1e-3)
                status = f"{last_s:.1f} s, {rate:.1f} frames/s, {newest.dropped} dropped"
                if result.error is not None:
                    warn(f"{one_line(result.source)}: {result.error}")
                elif not shown.show(result, status + (", recording" if recording else "")):
                    break
        except KeyboardInterrupt:
            pass
    if not quiet:
        written = output if table and table.has_frames else None
        _conclude(summary, written, last_s, newest.dropped, record if recording and recording.written else None)
    return 1 if summary.failed else 0


def _check_record(record: Path | None, *, overwrite: bool) -> None:
    from mien.cli.output import check_output_files
    from mien.errors import OptionError, OutputError

    check_output_files(record)
    if record is not None and record.suffix.lower() != ".mp4":
        raise OptionError(f"{record}: recordings are written as .mp4")
    if record is not None and record.exists() and not overwrite:
        raise OutputError(f"{record} is there already; choose another name, or --overwrite to replace it")


@contextmanager
def _interrupts() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _conclude(summary: RunSummary, output: Path | None, seconds: float, dropped: int, record: Path | None) -> None:
    from mien.wording import counted

    lines = [f"{counted(summary.frames, 'frame')} in {seconds:.1f} s ({dropped:,} dropped)"]
    lines[0] += f"; recording: {record}" if record else ""
    lines[0] += f"; table: {output}" if output else ""
    if output and summary.faces:
        lines.append(f"  seconds of each expression: mien summary {shlex.quote(str(output))}")
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201
