"""`mien evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    dataset: Annotated[
        str, typer.Argument(metavar="SET", help="Data set: ferplus, raf-db, folder, csv, ... (mien data list).")
    ],
    data: Annotated[Path, typer.Option(help="Where the set was unpacked: a folder or a .zip.")],
    weights: Annotated[str, typer.Option(help="Weights by name or path.")] = "default",
    predictions: Annotated[
        Path | None, typer.Option(help="Judge a table that mien predict wrote instead of weights.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split to judge; test where there is one.")] = "",
    variant: Annotated[str, typer.Option(help="Variant of the set, as mien data list names them.")] = "",
    compare: Annotated[
        str | None, typer.Option(help="Weights or a table of predictions to compare with (McNemar).")
    ] = None,
    under: Annotated[
        str,
        typer.Option(help="Also judge the same images made worse: blur,noise,mask,... or all."),
    ] = "",
    crops: Annotated[
        bool | None,
        typer.Option("--crops/--detect", help="Images are faces already, or are searched. As the set says."),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option("--flip/--no-flip", help="Average with the horizontally flipped image. As the weights say."),
    ] = None,
    priors: Annotated[
        str, typer.Option(help="Class frequencies to assume: default, natural or balanced.")
    ] = "default",
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave broken rows of the set out.")] = False,
    no_duplicates: Annotated[
        bool,
        typer.Option("--no-duplicates", help="Leave out images with a near-duplicate in another split (slower)."),
    ] = False,
    limit: Annotated[int, typer.Option(help="Judge only so many images, drawn at random.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 2,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots and the surest mistakes.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every figure as JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> int:
    """Judge weights or predictions on a labelled set."""
    from mien.cli.evaluate_command import Request, evaluate_command

    return evaluate_command(
        Request(
            set=dataset, data=data, variant=variant, split=split, weights=weights, predictions=predictions,
            compare=compare, under=under, crops=crops, flip=flip, priors=priors, skip_broken=skip_broken,
            no_duplicates=no_duplicates, limit=limit, jobs=jobs, html=html, json=json_file, quiet=quiet,
        )
    )  # fmt: skip
