"""`mien predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Weights


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(help="Images and folders (searched through all levels).", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the table here: .csv, .parquet or .jsonl. An interrupted run resumes.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for annotated images and one .json of faces each.")
    ] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Every image is one face crop: no detection, one row each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per row read now.")] = False,
    threshold: Annotated[float, typer.Option(help="Least confidence of a face, 0 to 1.")] = 0.5,
    small_faces: Annotated[
        bool,
        typer.Option("--small-faces", help="Search large images at full size: faces from about 10 pixels, slower."),
    ] = False,
    detector: Annotated[
        str, typer.Option(help="Who finds the faces: yunet_slim, or centerface (an extra) at ten times its cost.")
    ] = "yunet-slim",
    labels: Annotated[
        str | None, typer.Option(help="Answer in another label set: raf-db (7 classes), affectnet-8, ...")
    ] = None,
    priors: Annotated[
        str, typer.Option(help="Class frequencies to assume: default, natural or balanced.")
    ] = "default",
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Least probability of a certain answer, 0 to 1. As the weights state.",
            show_default=False,
        ),
    ] = None,
    weights: Weights = "default",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over instead of resuming.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Find the faces in images and read their expressions."""
    from mien.cli.predict_command import Request, predict_command

    return predict_command(
        Request(
            sources=tuple(sources), output=output, save=save, crops=crops, json=as_json, threshold=threshold,
            small_faces=small_faces, detector=detector, labels=labels, priors=priors,
            min_confidence=min_confidence, weights=weights, overwrite=overwrite, quiet=quiet,
        )
    )  # fmt: skip
