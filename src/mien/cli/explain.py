"""`mien explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Weights


def explain(
    image: Annotated[str, typer.Argument(help="An image.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The image with a map over each face: .png or .jpg.")
    ] = Path("explained.png"),
    arrays: Annotated[Path | None, typer.Option(help="Write maps, crops and matrices here, as .npz.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The class to explain. Default: the most probable of each face.")
    ] = None,
    weights: Weights = "default",
    detect: Annotated[
        bool, typer.Option("--detect/--no-detect", help="Detect faces, or take the image as one face.")
    ] = True,
) -> int:
    """Show which parts of a face speak for an expression: its probability falls where they are hidden.

    0: done; 1: the image could not be read, or has no face.
    """
    from mien.cli.output import check_output_files, writing
    from mien.errors import OptionError
    from mien.explanation.explain import explain, overlay, save_arrays
    from mien.media.images import read_image, write_image
    from mien.results import percent

    check_output_files(output, arrays)
    if arrays is not None and arrays.suffix != ".npz":
        raise OptionError(f"{arrays}: arrays are written as .npz")
    pixels = read_image(image)
    explanations = explain(pixels, weights=weights, label=label, detect=detect)
    if not explanations:
        print(f"mien: {image}: no face detected", file=sys.stderr)  # noqa: T201
        return 1
    with writing(output):
        write_image(overlay(pixels, explanations), output)
    if arrays is not None:
        with writing(arrays):
            save_arrays(explanations, arrays)
    for number, one in enumerate(explanations):
        areas = f"deletion {one.faithfulness.deletion:.2f}, insertion {one.faithfulness.insertion:.2f}"
        print(f"face {number}: {one.label} {percent(one.probability)}; {areas}")  # noqa: T201
    return 0
