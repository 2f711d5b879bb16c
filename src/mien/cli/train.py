"""`mien train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe: a Python file that ends in RECIPE = Recipe(...).")],
    data: Annotated[Path, typer.Option(help="Folder that mien data prepare made.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run. A run begun there goes on.")],
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A further prepared set to learn from, not to judge on. May be repeated."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a field: --set epochs=5 --set optimizer.rate=1e-4. May be repeated."),
    ] = None,
    weights_folder: Annotated[
        Path, typer.Option(help="Where the recipe's starting weights lie, unless the package ships them.")
    ] = Path("weights"),
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="No starting weights; nothing is frozen.")
    ] = False,
    fold: Annotated[int, typer.Option(help="Which fold of the recipe's protocol, from 0.", min=0)] = 0,
    devices: Annotated[str, typer.Option(help="GPUs or processes: a number, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.", min=1)] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> int:
    """Train a network as a recipe says; stopped at any moment, the same command goes on."""
    try:
        from mien.cli.train_command import Request, train_command
    except ModuleNotFoundError as error:
        from mien.errors import MissingPackageError

        raise MissingPackageError("Training", error.name or "torch", "train") from error
    return train_command(
        Request(
            recipe=recipe, data=data, also=tuple(also or ()), out=out, changes=tuple(change or ()),
            weights_folder=weights_folder, from_scratch=from_scratch, fold=fold, devices=devices, nodes=nodes,
            accelerator=accelerator, quiet=quiet,
        )
    )  # fmt: skip
