"""`mien data`: the commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(
    help="Data sets: what they are, whether yours is whole, how it passes.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="SET", help="A name of `mien data list`.", show_default=False)]
Place = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder it was unpacked to, or a .zip.", show_default=False)
]
Variant = Annotated[str, typer.Option(help="One of the set's variants; `mien data info SET` names them.")]
Jobs = Annotated[int, typer.Option(help="Processes that decode images; 0: one per core.", min=0)]
Json = Annotated[Path | None, typer.Option(help="Write everything found to this file as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@data_app.command("list")
def data_list() -> None:
    """The data sets that can be read."""
    from mien.cli.data_list import list_command

    list_command()


@data_app.command("info")
def data_info(name: Name) -> None:
    """Everything known of one set: layout, counts, citation, how to obtain it."""
    from mien.cli.data_list import info_command

    info_command(name)


@data_app.command("check")
def data_check(
    name: Name,
    folder: Place,
    variant: Variant = "",
    fast: Annotated[
        bool, typer.Option("--fast", help="Open no image: unreadable and repeated ones are not found.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="List every problem, not the first of each kind.")] = False,
    jobs: Jobs = 0,
    json: Json = None,
    quiet: Quiet = False,
) -> int:
    """Is this folder what the set's authors publish? 0: yes, whole splits may be absent; 1: no."""
    from mien.cli.data_check import check_command

    return check_command(
        name, folder, variant=variant, fast=fast, every=every, jobs=jobs, json_file=json, quiet=quiet
    )


@data_app.command("show")
def data_show(
    name: Name,
    folder: Place,
    save: Annotated[Path, typer.Option(help="Image file to write: .png or .jpg.", show_default=False)],
    variant: Variant = "",
    split: Annotated[str, typer.Option(help="Only this split: train, valid or test.")] = "",
    per_class: Annotated[int, typer.Option(help="Images of each class.", min=1, max=1000)] = 24,
    seed: Annotated[int, typer.Option(help="Another seed shows other images.", min=0)] = 0,
) -> None:
    """A contact sheet: some images of every class."""
    from mien.cli.data_show import show_command

    show_command(name, folder, save, variant=variant, split=split, per_class=per_class, seed=seed)


@data_app.command("summary")
def data_summary(
    name: Name,
    folder: Place,
    variant: Variant = "",
    save: Annotated[
        Path | None, typer.Option(help="Write the plots here: .png, .pdf or .svg; needs Matplotlib (extra: plots).")
    ] = None,
    json: Json = None,
) -> None:
    """Tables and a plot of what a set holds: classes, votes, subjects, poses, image sizes."""
    from mien.cli.data_summary import summary_command

    summary_command(name, folder, variant=variant, save=save, json_file=json)


@data_app.command("prepare")
def data_prepare(
    name: Name,
    folder: Place,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the prepared faces.", show_default=False)],
    variant: Variant = "",
    size: Annotated[int, typer.Option(help="Side of a stored image; its middle 7/12 is the aligned face.")] = 192,
    template: Annotated[
        str, typer.Option(help="Framing: face or arcface, turned onto five points; box, upright with a margin.")
    ] = "face",
    jobs: Annotated[int, typer.Option(help="Processes; 0: one per core.")] = 0,
    crops: Annotated[
        bool | None,
        typer.Option("--crops/--detect", help="Each image is one face, or a scene. Default: as the set is."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over instead of resuming.")] = False,
    quiet: Quiet = False,
) -> int:
    """Find and align the faces of a set and store them for training; goes on where it was interrupted."""
    from mien.cli.data_prepare import Request, prepare_command

    return prepare_command(
        Request(
            name=name, folder=folder, out=out, variant=variant, size=size, template=template, jobs=jobs,
            crops=crops, overwrite=overwrite, quiet=quiet,
        )
    )  # fmt: skip


@data_app.command("render")
def render_faces(
    model: Annotated[
        Path,
        typer.Option(help="ICT-FaceKit: its folder FaceXModel, or an .npz of it.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the set. A set begun there goes on.", show_default=False)],
    identities: Annotated[int, typer.Option(help="Number of subjects.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects and images.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 128,
    classes: Annotated[int, typer.Option(help="7: neutral and the six basic emotions; 8: with contempt.")] = 7,
    yaws: Annotated[
        str, typer.Option(help="Head turns in degrees; positive to the right edge of the image.")
    ] = "-90,-60,-45,-30,0,30,45,60,90",
    yaw_jitter: Annotated[float, typer.Option(help="Stray this far around each yaw, degrees.")] = 0.0,
    pitch: Annotated[float, typer.Option(help="Largest nod up or down, degrees.")] = 30.0,
    jobs: Annotated[int, typer.Option(help="Processes that render.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over instead of resuming.")] = False,
    quiet: Quiet = False,
) -> None:
    """Render faces of known expression, identity and head pose from a 3D face model."""
    from mien.cli.data_render import Request, render_views_command

    render_views_command(
        Request(
            model=model, out=out, identities=identities, seed=seed, size=size, classes=classes, yaws=yaws,
            yaw_jitter=yaw_jitter, pitch=pitch, jobs=jobs, overwrite=overwrite, quiet=quiet,
        )
    )  # fmt: skip
