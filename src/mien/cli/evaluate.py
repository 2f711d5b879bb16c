"""`mien evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import JsonFile, Priors, Quiet, Tta, Weights, set_names


def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="Data set: ferplus, raf-db, folder, csv, ... (mien data list).",
            autocompletion=set_names,
        ),
    ],
    data: Annotated[Path, typer.Option(help="Where the set was unpacked: a folder or a .zip.")],
    weights: Weights = "default",
    predictions: Annotated[
        Path | None, typer.Option(help="A table that mien predict wrote, instead of weights.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split to evaluate; test where there is one.")] = "",
    variant: Annotated[str, typer.Option(help="Variant of the set, as mien data list names them.")] = "",
    compare: Annotated[
        str | None, typer.Option(help="Weights or a table of predictions to compare with (McNemar).")
    ] = None,
    corruptions: Annotated[
        str, typer.Option(help="Evaluate under these corruptions too: blur,noise,mask,... or all.")
    ] = "",
    detect: Annotated[
        bool | None,
        typer.Option(
            "--detect/--no-detect", help="Detect faces, or take each image as one face. Default: as the set needs."
        ),
    ] = None,
    no_align: Annotated[
        bool,
        typer.Option(
            "--no-align", help="Feed the set's images as they are, as authors do on faces that a set has aligned."
        ),
    ] = False,
    tta: Tta = None,
    priors: Priors = "default",
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out broken rows of the set.")] = False,
    exclude_duplicates: Annotated[
        bool,
        typer.Option("--exclude-duplicates", help="Leave out images with a near-duplicate in another split."),
    ] = False,
    limit: Annotated[int, typer.Option(help="Evaluate this many images only, drawn at random.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Images processed at a time.", min=1)] = 2,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots and the most confident errors.")
    ] = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
) -> int:
    """Evaluate weights or predictions on a labelled set."""
    import shlex
    import sys
    from dataclasses import replace

    from mien.cli.evaluate_print import print_evaluation
    from mien.cli.output import check_output_files, write_json, write_text
    from mien.cli.progress import progress
    from mien.evaluation.evaluate import evaluate

    check_output_files(json_file, html, inputs=(predictions, compare))
    with progress("evaluating", quiet=quiet) as bar:
        result = evaluate(
            dataset, data, weights=weights, predictions=predictions, split=split, variant=variant, compare=compare,
            corruptions=corruptions, detect=detect, align=not no_align, tta=tta, priors=priors,
            skip_broken=skip_broken, exclude_duplicates=exclude_duplicates, limit=limit, workers=workers,
            progress=bar,
        )  # fmt: skip
        for line in result.unread:
            bar.write(f"mien: {line}")
    result = replace(result, settings={**result.settings, "command": "mien " + shlex.join(sys.argv[1:])})
    print_evaluation(result)
    if json_file is not None:
        write_json(result.to_dict(), json_file)
    if html is not None:
        write_text(result.to_html(), html)
    return 0
