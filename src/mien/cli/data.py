"""`mien data`: the commands and their options; what they do is loaded only when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(
    help="Data sets: what there is, whether a copy is whole, faces made ready.", no_args_is_help=True
)


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(metavar="SET", help="Name of the set: raf-db, ferplus, ...")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the set was unpacked to, or its .zip.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the prepared faces.", show_default=False)],
    variant: Annotated[str, typer.Option(help="Variant of the set; default: its first.")] = "",
    size: Annotated[int, typer.Option(help="Side of a stored picture; its middle 7/12 is the aligned face.")] = 192,
    jobs: Annotated[int, typer.Option(help="Processes; 0: one per core.")] = 0,
    crops: Annotated[
        bool | None,
        typer.Option("--crops/--detect", help="Each picture is one face, or a scene. Default: as the set is."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of resuming.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Find and align the faces of a set and store them for training; goes on where it was interrupted."""
    from mien.cli.data_prepare import Request, prepare_command

    return prepare_command(
        Request(
            name=name, folder=folder, out=out, variant=variant, size=size, jobs=jobs, crops=crops, fresh=fresh,
            quiet=quiet,
        )
    )  # fmt: skip
