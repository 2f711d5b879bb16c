"""`mien predict`."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from mien.cli.options import Overwrite, Priors, Tta, Weights, refuse
from mien.cli.progress import progress
from mien.errors import InputError, OptionError

BEYOND = "Beyond one machine"
DRAW, EXPLAIN_METHOD = "boxes,labels,bars", "occlusion"
DETECTOR, THRESHOLD, IMAGES_PER_PART = "yunet-slim", 0.5, 1000


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Images, videos and folders (with all folders below; linked folders are named and left out). "
            "With --engine ray also lists (.txt), Parquet files, and URIs of all these.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write the table here: .csv, .parquet, .jsonl or .xlsx. An interrupted run resumes. "
            "With --engine ray a folder, or the URI of one.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for annotated images and one .json of faces each.")
    ] = None,
    draw: Annotated[
        str,
        typer.Option(
            help="What --save and --annotated draw: boxes, labels, bars (videos: a strip over time), on images "
            "also landmarks and axes; or none."
        ),
    ] = DRAW,
    anonymize: Annotated[
        str | None, typer.Option(help="Make faces unrecognisable in --save and --annotated: pixelate or blur.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Folder for a heat map over each face: which parts its prediction uses.")
    ] = None,
    explain_method: Annotated[
        str, typer.Option(help="Method of --explain: occlusion, attention, grad-cam or integrated-gradients.")
    ] = EXPLAIN_METHOD,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per row.")] = False,
    detect: Annotated[
        bool, typer.Option("--detect/--no-detect", help="Detect faces, or take each image as one face.")
    ] = True,
    detector: Annotated[
        str, typer.Option(help="yunet-slim, or centerface (an extra), which takes ten times as long.")
    ] = DETECTOR,
    threshold: Annotated[
        float, typer.Option(help="Detection threshold: minimum confidence of a face, 0 to 1.")
    ] = THRESHOLD,
    small_faces: Annotated[
        bool | None,
        typer.Option(
            "--small-faces/--no-small-faces",
            help="Search large images at full resolution, for faces from 10 pixels. Default: if likely.",
            show_default=False,
        ),
    ] = None,
    weights: Weights = "default",
    labels: Annotated[
        str | None, typer.Option(help="Label set of the predictions: raf-db (7 classes), affectnet-8, ...")
    ] = None,
    priors: Priors = "default",
    tta: Tta = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Confidence threshold of certain predictions, 0 to 1. Default: that of the weights."),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="float32, int8, or auto: int8 where this processor is faster with it (--engine ray: float32)."
        ),
    ] = "auto",
    fps: Annotated[float | None, typer.Option(help="Videos: frames to process per second.")] = None,
    every: Annotated[int, typer.Option(help="Videos: process every n-th frame.")] = 1,
    start: Annotated[str | None, typer.Option(help="Videos: start time; seconds, M:SS or H:MM:SS.")] = None,
    end: Annotated[str | None, typer.Option(help="Videos: end time.")] = None,
    smoothing: Annotated[
        bool, typer.Option("--smoothing/--no-smoothing", help="Videos: also smooth scores over each track.")
    ] = True,
    reuse_scores: Annotated[
        bool,
        typer.Option(
            "--reuse-scores/--no-reuse-scores",
            help="Videos: a face that has not changed reuses the scores of a frame less than 0.25 s away.",
        ),
    ] = True,
    annotated: Annotated[
        Path | None, typer.Option(help="Write the annotated video here, as .mp4; for one video.")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="local, or ray: a cluster, for any number of images, lists and object stores.",
            rich_help_panel=BEYOND,
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of a running Ray cluster. Default: $RAY_ADDRESS, or this machine.", rich_help_panel=BEYOND
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Number of Ray workers; 0: one per CPU of the cluster.", rich_help_panel=BEYOND)
    ] = 0,
    column: Annotated[
        str | None,
        typer.Option(help="The column of a Parquet file that holds paths or URIs.", rich_help_panel=BEYOND),
    ] = None,
    images_per_part: Annotated[
        int, typer.Option(help="Images per Parquet file of the output.", rich_help_panel=BEYOND)
    ] = IMAGES_PER_PART,
    temp_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for Ray's temporary files on this machine.", rich_help_panel=BEYOND),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Detect the faces in images and videos and predict their expressions. 0: done; 1: a file could not be read."""
    if not detect:
        refuse(
            {"--detector": detector != DETECTOR, "--threshold": threshold != THRESHOLD,
             "--small-faces": small_faces is not None},
            "with --no-detect nothing is detected; leave one of them out",
        )  # fmt: skip
    drawing = {"--draw": draw != DRAW, "--anonymize": anonymize is not None,
               "--explain-method": explain_method != EXPLAIN_METHOD}  # fmt: skip
    if engine != "local":
        from mien.cli.predict_collection import predict_collection

        refuse(
            drawing | {"--save": save is not None, "--explain": explain is not None, "--json": as_json,
                       "--annotated": annotated is not None},
            f"--engine {engine} writes tables only; leave it out",
        )  # fmt: skip
        from mien.cli.predict_video import seconds

        video = {"fps": fps, "every": every, "start_s": seconds(start) or 0.0, "end_s": seconds(end)}
        return predict_collection(
            sources, output, engine=engine, detect=detect, column=column, images_per_part=images_per_part,
            workers=workers, address=address, temp_dir=temp_dir, overwrite=overwrite, quiet=quiet,
            weights=weights, detector=detector, threshold=threshold, small_faces=small_faces, labels=labels,
            priors=priors, tta=tta, min_confidence=min_confidence, precision=precision,
            video=video | {"smoothing": smoothing, "reuse_scores": reuse_scores},
        )  # fmt: skip
    refuse(
        {"--column": column is not None, "--address": address is not None, "--workers": workers != 0,
         "--images-per-part": images_per_part != IMAGES_PER_PART, "--temp-dir": temp_dir is not None},
        "of use with --engine ray only",
    )  # fmt: skip
    from mien.media.live import is_live

    if any(map(is_live, sources)):
        refuse(
            drawing | {"--save": save is not None, "--explain": explain is not None,
                       "--annotated": annotated is not None, "--no-detect": not detect, "--every": every != 1,
                       "--start": start is not None, "--end": end is not None,
                       "--no-reuse-scores": not reuse_scores, "several sources": len(sources) > 1},
            "not for a camera or stream, which is predicted alone; mien camera has its options",
        )  # fmt: skip
        from mien.cli.camera import predict_live

        return predict_live(
            sources[0], output=None if output is None else Path(output), as_json=as_json, fps=fps,
            smoothing=smoothing, overwrite=overwrite, quiet=quiet,
            loading={
                "weights": weights, "detector": detector, "threshold": threshold, "small_faces": small_faces,
                "labels": labels, "priors": priors, "tta": tta, "min_confidence": min_confidence,
                "precision": precision,
            },
        )  # fmt: skip
    from mien.cli.output import writing
    from mien.cli.predict_table import Summary, one_line, print_table
    from mien.cli.predict_video import TrackLines, seconds
    from mien.media.animation import is_video
    from mien.pipeline.batch import images_of
    from mien.pipeline.journal import sources_in
    from mien.pipeline.recognizer import load
    from mien.pipeline.rows import TableRow, check_suffix, rows_of
    from mien.results import VideoFrame

    file = None if output is None else Path(output)
    if file is not None:
        check_suffix(file)
    images = images_of(sources, leave_out=save)
    if not images:
        raise InputError(f"{', '.join(sources)}: no image or video there; name some, or a folder with some")
    videos = [item for item in images if isinstance(item, str) and is_video(item)]
    parts = [] if draw == "none" else [part.strip() for part in draw.split(",")]
    if save is None and annotated is None:
        refuse(
            {"--draw": draw != DRAW, "--anonymize": anonymize is not None},
            "nothing is drawn without --save (images) or --annotated (a video)",
        )
    refuse(
        {"--explain-method": explain is None and explain_method != EXPLAIN_METHOD},
        "nothing is explained without --explain",
    )
    if not videos and (fps is not None or every != 1 or start is not None or end is not None):
        sys.stderr.write("mien: --fps, --every, --start and --end are for videos, and there is none\n")
    if annotated is not None:
        if len(images) != 1 or not videos:
            raise OptionError("--annotated is for one video; give one, or --save for images")
        from mien.pipeline.annotate import check_annotated

        check_annotated(annotated, videos[0], parts)
    if save is not None and videos:
        sys.stderr.write("mien: --save is for images; of a video, --annotated writes a marked copy\n")
    recognizer = load(
        weights, detector=detector, threshold=threshold, small_faces=small_faces, labels=labels, priors=priors,
        tta=tta, min_confidence=min_confidence, precision=precision, threads=1 if len(images) > 1 or videos else 0,
    )  # fmt: skip
    overlays = None
    if explain is not None:
        from mien.explanation.faces import FaceOverlays

        names = [item for item in images if isinstance(item, str) and item not in videos]
        overlays = FaceOverlays(recognizer, explain_method, explain, sources, names)
        if videos:
            sys.stderr.write("mien: --explain is for images; frames of videos are not explained\n")
    summary, table, tracks = Summary(len(images)), list[TableRow](), TrackLines()
    with ExitStack() as stack:
        rows_in = file
        if annotated is not None and file is None:
            rows_in = Path(stack.enter_context(TemporaryDirectory())) / "rows.parquet"
        bar = stack.enter_context(progress("predicting", None if videos else len(images), quiet=quiet))
        results = recognizer.stream(
            sources, detect=detect, output=rows_in, save=save, overwrite=overwrite, workers=0, progress=bar,
            fps=fps, every=every, start_s=seconds(start) or 0.0, end_s=seconds(end), smoothing=smoothing,
            reuse_scores=reuse_scores, draw=parts, anonymize=anonymize,
        )  # fmt: skip
        for result in results:
            summary.add(result)
            if result.error is not None:
                bar.write(f"mien: {one_line(result.source)}: {result.error}")
            if overlays is not None and explain is not None:
                with writing(explain):
                    overlays.write(result)
            if result.frames > 1:
                bar.write(f"mien: {one_line(result.source)}: only the first of {result.frames} pages is read")
            rows = rows_of(result, recognizer.labels) if as_json or file is None else []
            if as_json:
                sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
            elif file is None and isinstance(result, VideoFrame):
                tracks.add(result)
            else:
                table += rows
        if summary.failed and not summary.frames:
            annotated = None
        if annotated is not None and rows_in is not None:
            _annotate(videos[0], rows_in, annotated, parts, anonymize, quiet=quiet)
    if table:
        print_table(table, [f"p_{label}" for label in recognizer.labels], recognizer.network.confidence_threshold)
    tracks.print()
    if anonymize is not None and not quiet:
        sys.stderr.write(
            "mien: faces that were not detected are not covered; look through all before you share it\n"
        )
    if not quiet and (file is not None or save is not None or explain is not None or len(images) > 1 or videos):
        others = 0 if file is None else sources_in(file) - len(images)
        bar.write(summary.sentence(file, others=others) + (f"; video: {annotated}" if annotated else ""))
        for line in summary.expressions():
            bar.write(line)
        if file is not None and (videos or summary.before or others > 0):
            what = "expressions in the whole table" if summary.before or others > 0 else (
                "seconds of each expression in videos"
            )  # fmt: skip
            bar.write(f"  {what}: mien summary {shlex.quote(str(file))}")
    return 1 if summary.failed else 0


def _annotate(video: str, rows: Path, output: Path, draw: list[str], anonymize: str | None, *, quiet: bool) -> None:
    from mien.pipeline.annotate import annotate_video
    from mien.pipeline.read import read_columns

    with progress("drawing", None, quiet=quiet) as bar:
        annotate_video(video, read_columns(rows)[1], output, draw=draw, anonymize=anonymize, progress=bar)
