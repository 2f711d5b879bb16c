"""`mien explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import weights_names

if TYPE_CHECKING:
    from mien.explanation.explain import Explanation

METHODS = (
    "occlusion for any network; with torch attention (cross-attention, kept patches, masks), grad-cam and "
    "integrated-gradients"
)


def explain(
    image: Annotated[str, typer.Argument(help="An image.", show_default=False)],
    method: Annotated[str, typer.Option(help=f"One or several, with commas, or all: {METHODS}.")] = "occlusion",
    weights: Annotated[
        str,
        typer.Option(
            help="Name or path of weights; several, with commas, for a sheet.", autocompletion=weights_names
        ),
    ] = "default",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The image with the first method's map over each face: .png or .jpg. "
            "Default: explained.png, where neither --sheet nor --npz is given.",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="All maps of all faces and weights on one sheet: .png or .jpg.")
    ] = None,
    npz: Annotated[Path | None, typer.Option(help="Write maps, curves, crops and matrices here, as .npz.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The class to explain. Default: the most probable of each face.")
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect/--no-detect", help="Detect faces, or take the image as one face.")
    ] = True,
) -> int:
    """Explain predictions: heat maps of what the networks use in each face, with a faithfulness check.

    0: done; 1: the image could not be read, or has no face.
    """
    from mien.cli.output import check_output_files, writing
    from mien.cli.terminal import warn
    from mien.errors import OptionError
    from mien.explanation.arrays import save_arrays
    from mien.explanation.explain import explain
    from mien.explanation.overlay import overlay
    from mien.explanation.sheet import draw_sheet
    from mien.media.images import check_image_suffix, read_first_frame, write_image

    several = _names(weights)
    if output is None and sheet is None and npz is None:
        output = Path("explained.png" if len(several) == 1 else "explained_sheet.png")
        output, sheet = (output, None) if len(several) == 1 else (None, output)
    if output is not None and len(several) > 1:
        raise OptionError(f"--output shows one network, not {len(several)}; --sheet shows them all")
    check_output_files(output, sheet, npz, inputs=(image,))
    for path in (output, sheet):
        if path is not None:
            check_image_suffix(path)
    if npz is not None and npz.suffix != ".npz":
        raise OptionError(f"{npz}: arrays are written as .npz")
    pixels, frames = read_first_frame(image)
    if frames > 1:
        warn(f"{image}: only the first of {frames} images in it is explained")
    explanations = explain(pixels, weights=several, methods=method, label=label, detect=detect)
    if not explanations:
        warn(f"{image}: no face detected")
        return 1
    if output is not None:
        with writing(output):
            write_image(overlay(pixels, explanations), output, is_output=True)
    if sheet is not None:
        with writing(sheet):
            write_image(draw_sheet(explanations, title=Path(image).name), sheet, is_output=True)
    if npz is not None:
        with writing(npz):
            save_arrays(explanations, npz)
    for one in explanations:
        _print(one)
    return 0


def _names(weights: str) -> list[str]:
    if Path(weights).exists():
        return [weights]
    return list(dict.fromkeys(name.strip() for name in weights.split(",")))


def _print(one: Explanation) -> None:
    """One block of lines: the face, what its attention says, and how faithful each map is."""
    from mien.explanation.measured import measured_map
    from mien.results import percent

    print(f"face {one.index}, {one.weights}: {one.label} {percent(one.probability)} in single precision")  # noqa: T201
    if one.note:
        print(f"  {one.note}")  # noqa: T201
    wide = max(len("centre prior"), *(len(each.key) for each in one.maps))
    rows = [(each.key, each.faithfulness, measured_map(one.identity, each.key)) for each in one.maps]
    for key, areas, measured in [*rows, ("centre prior", one.centre_prior, None)]:
        if areas is not None:
            line = f"  {key:{wide}}  deletion {areas.deletion:.2f}  insertion {areas.insertion:.2f}"
            print(f"{line}  {measured.in_short}" if measured else line)  # noqa: T201
    faces = {measured.faces for _, _, measured in rows if measured is not None}
    if faces:
        print(f"  better, worse: than the centre prior, on {max(faces)} validation faces")  # noqa: T201
