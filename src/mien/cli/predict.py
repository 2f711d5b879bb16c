"""`mien predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Overwrite, Priors, Tta, Weights, refuse

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
    from mien.cli.predict_video import seconds
    from mien.media.live import is_live

    loading = {
        "weights": weights, "detector": detector, "threshold": threshold, "small_faces": small_faces,
        "labels": labels, "priors": priors, "tta": tta, "min_confidence": min_confidence, "precision": precision,
    }  # fmt: skip
    frames = {
        "fps": fps, "every": every, "start_s": seconds(start) or 0.0, "end_s": seconds(end),
        "smoothing": smoothing, "reuse_scores": reuse_scores,
    }  # fmt: skip
    drawing = {"--draw": draw != DRAW, "--anonymize": anonymize is not None}
    explaining = {"--explain-method": explain_method != EXPLAIN_METHOD}
    files = {"--save": save is not None, "--explain": explain is not None, "--annotated": annotated is not None}
    if not detect:
        refuse(
            {"--detector": detector != DETECTOR, "--threshold": threshold != THRESHOLD,
             "--small-faces": small_faces is not None},
            "with --no-detect nothing is detected; leave one of them out",
        )  # fmt: skip
    if engine != "local":
        refuse(
            drawing | explaining | files | {"--json": as_json},
            f"--engine {engine} writes tables only; leave it out",
        )
        from mien.cli.predict_collection import predict_collection

        return predict_collection(
            sources, output, engine=engine, detect=detect, column=column, images_per_part=images_per_part,
            workers=workers, address=address, temp_dir=temp_dir, overwrite=overwrite, quiet=quiet, video=frames,
            **loading,
        )  # fmt: skip
    refuse(
        {"--column": column is not None, "--address": address is not None, "--workers": workers != 0,
         "--images-per-part": images_per_part != IMAGES_PER_PART, "--temp-dir": temp_dir is not None},
        "of use with --engine ray only",
    )  # fmt: skip
    table = None if output is None else Path(output)
    if any(map(is_live, sources)):
        refuse(
            drawing | explaining | files
            | {"--no-detect": not detect, "--every": every != 1, "--start": start is not None,
               "--end": end is not None, "--no-reuse-scores": not reuse_scores,
               "several sources": len(sources) > 1},
            "not for a camera or stream, which is predicted alone; mien camera has its options",
        )  # fmt: skip
        from mien.cli.camera import predict_live

        return predict_live(
            sources[0], output=table, as_json=as_json, fps=fps, smoothing=smoothing, overwrite=overwrite,
            quiet=quiet, loading=loading,
        )  # fmt: skip
    if save is None and annotated is None:
        refuse(drawing, "nothing is drawn without --save (images) or --annotated (a video)")
    if explain is None:
        refuse(explaining, "nothing is explained without --explain")
    from mien.cli.predict_files import Outputs, predict_files

    parts = [] if draw == "none" else [part.strip() for part in draw.split(",")]
    outputs = Outputs(table, as_json, save, annotated, parts, anonymize, explain, explain_method)
    return predict_files(
        sources, outputs, detect=detect, loading=loading, frames=frames, overwrite=overwrite, quiet=quiet
    )
