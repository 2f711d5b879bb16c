"""`mien data`: the commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import JsonFile, Overwrite, Quiet, set_names

data_app = typer.Typer(
    help="Data sets: what they are, whether yours is complete, preparing them for training.", no_args_is_help=True
)

Name = Annotated[
    str,
    typer.Argument(metavar="SET", help="A name of `mien data list`.", show_default=False, autocompletion=set_names),
]
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder it was unpacked to, or a .zip.", show_default=False)
]
Variant = Annotated[str, typer.Option(help="One of the set's variants; `mien data info SET` names them.")]
Workers = Annotated[int, typer.Option(help="Processes; 0: one per core.", min=0)]


@data_app.command("list")
def data_list() -> None:
    """List the data sets that mien reads."""
    from mien.cli.data_list import list_command

    list_command()


@data_app.command("info")
def data_info(name: Name) -> None:
    """Describe a set: layout, counts, citation, licence, how to obtain it."""
    from mien.cli.data_list import info_command

    info_command(name)


@data_app.command("check")
def data_check(
    name: Name,
    folder: Folder,
    variant: Variant = "",
    duplicates: Annotated[
        bool,
        typer.Option(help="Open every image to find unreadable files and near-duplicates, or open none (fast)."),
    ] = True,
    every: Annotated[bool, typer.Option("--all", help="List every problem, not the first of each kind.")] = False,
    workers: Workers = 0,
    json_file: JsonFile = None,
    quiet: Quiet = False,
) -> int:
    """Check a copy of a set against the published counts. 0: complete, whole splits may be absent; 1: not."""
    from mien.cli.data_check import check_command

    return check_command(
        name,
        folder,
        variant=variant,
        duplicates=duplicates,
        every=every,
        workers=workers,
        json_file=json_file,
        quiet=quiet,
    )


@data_app.command("show")
def data_show(
    name: Name,
    folder: Folder,
    save: Annotated[Path, typer.Option(help="Image file to write: .png or .jpg.", show_default=False)],
    variant: Variant = "",
    split: Annotated[str, typer.Option(help="Only this split: train, valid or test.")] = "",
    per_class: Annotated[int, typer.Option(help="Images of each class.", min=1, max=1000)] = 24,
    seed: Annotated[int, typer.Option(help="Another seed shows other images.", min=0)] = 0,
) -> None:
    """Write a contact sheet: some images of every class."""
    from mien.cli.output import writing
    from mien.draw.contact_sheet import contact_sheet, dataset_strips
    from mien.media.images import write_image

    strips, title = dataset_strips(name, folder, variant=variant, split=split, per_class=per_class, seed=seed)
    with writing(save):
        write_image(contact_sheet(strips, title=title), save, is_output=True)
    images = [image for strip in strips for image in strip.images]
    unreadable = sum(image is None for image in images)
    text = f"{save}: {len(images)} of {title.rpartition('  ')[2]}, {len(strips)} classes"
    typer.echo(text + f", {unreadable} unreadable" * bool(unreadable))


@data_app.command("summary")
def data_summary(
    name: Name,
    folder: Folder,
    variant: Variant = "",
    save: Annotated[
        Path | None, typer.Option(help="Write the plots here: .png, .pdf or .svg; needs Matplotlib (extra: plots).")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Summarise a set in tables and a plot: classes, votes, subjects, poses, image sizes."""
    from mien.cli.data_summary import summary_command

    summary_command(name, folder, variant=variant, save=save, json_file=json_file)


@data_app.command("prepare")
def data_prepare(
    name: Name,
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the prepared faces.", show_default=False)],
    variant: Variant = "",
    size: Annotated[
        int,
        typer.Option(
            help="Side of a stored image; its middle 7/12 is the aligned face; all of it with --template image."
        ),
    ] = 192,
    template: Annotated[
        str,
        typer.Option(
            help="Alignment: face or arcface, by five landmarks; box, upright with a margin; image: as the set is."
        ),
    ] = "face",
    detect: Annotated[
        bool | None,
        typer.Option(
            "--detect/--no-detect", help="Detect faces, or take each image as one face. Default: as the set needs."
        ),
    ] = None,
    detector: Annotated[str, typer.Option(help="yunet-slim, or centerface (extra: centerface).")] = "yunet-slim",
    workers: Workers = 0,
    overwrite: Overwrite = False,
    skip_broken: Annotated[
        bool, typer.Option(help="Leave out and list broken rows of the set, or stop at the first.")
    ] = True,
    quiet: Quiet = False,
) -> int:
    """Detect, align and store the faces of a set for training. Interrupted runs resume.

    0: everything is stored; 1: images or rows were left out (listed in problems.csv).
    """
    from mien.cli.data_prepare import prepare_command

    return prepare_command(
        name,
        folder,
        out,
        quiet=quiet,
        variant=variant,
        canvas_px=size,
        template=template,
        detect=detect,
        detector=detector,
        workers=workers,
        overwrite=overwrite,
        skip_broken=skip_broken,
    )


@data_app.command("render")
def data_render(
    model: Annotated[
        Path,
        typer.Option(help="ICT-FaceKit: its folder FaceXModel, or an .npz of it.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the set; an interrupted run resumes.", show_default=False)],
    identities: Annotated[int, typer.Option(help="Number of subjects.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects and images.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 128,
    classes: Annotated[int, typer.Option(help="7: neutral and the six basic emotions; 8: with contempt.")] = 7,
    yaws: Annotated[
        str, typer.Option(help="Yaws of the head in degrees; positive to the right edge of the image.")
    ] = "-90,-60,-45,-30,0,30,45,60,90",
    yaw_jitter: Annotated[float, typer.Option(help="Largest deviation from each yaw, degrees.")] = 0.0,
    pitch: Annotated[float, typer.Option(help="Largest pitch up or down, degrees.")] = 30.0,
    workers: Workers = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Render faces of known expression, identity and head pose from a 3D face model."""
    from mien.cli.progress import progress
    from mien.errors import OptionError
    from mien.synthetic.generate import TABLE, RenderSettings, render_faces

    try:
        angles = tuple(float(yaw) for yaw in yaws.split(","))
    except ValueError:
        raise OptionError(f"--yaws {yaws!r}: give angles with commas between, like --yaws=-45,0,45") from None
    settings = RenderSettings(
        identities=identities,
        seed=seed,
        size_px=size,
        classes=classes,
        yaws=angles,
        yaw_jitter_deg=yaw_jitter,
        pitch_limit_deg=pitch,
    )
    with progress("rendering", len(settings), quiet=quiet) as bar:
        now = render_faces(model, out, settings, workers=workers, overwrite=overwrite, progress=bar)
    if not quiet:
        before = f", {len(settings) - now} done before" if now < len(settings) else ""
        typer.echo(f"{now} faces rendered{before}; table: {out / TABLE}", err=True)
