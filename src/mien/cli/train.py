"""`mien train`."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import Quiet

if TYPE_CHECKING:
    from mien.cli.progress import Bar


def train(
    recipe: Annotated[
        str,
        typer.Argument(help="Name (mien recipes list), Python file or import path of a recipe, pkg.mod:RECIPE."),
    ],
    data: Annotated[
        list[Path],
        typer.Option(help="Folder that mien data prepare wrote. May be repeated: several sets, each validated."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run, where an interrupted run resumes.")],
    extra_data: Annotated[
        list[Path] | None,
        typer.Option(help="Another prepared set, for training only. May be repeated."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change a field: --set epochs=5 --set optimizer.lr=1e-4. May be repeated; more epochs "
            "extend a finished run.",
        ),
    ] = None,
    network: Annotated[
        str,
        typer.Option(
            help="Another network, by name or import path of its config, mypkg.net:Config; random weights."
        ),
    ] = "",
    weights_folder: Annotated[
        Path, typer.Option(help="Folder of pretrained weights that the package does not ship.")
    ] = Path("weights"),
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="No pretrained weights; nothing is frozen.")
    ] = False,
    fold: Annotated[int, typer.Option(help="Which fold of the recipe's protocol, from 0.", min=0)] = 0,
    devices: Annotated[str, typer.Option(help="GPUs or processes: a number, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.", min=1)] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a network as a recipe says. Interrupted runs resume when the command is repeated."""
    from mien.cli.progress import progress
    from mien.errors import MissingPackageError, OptionError

    try:
        from mien.training import session
    except ModuleNotFoundError as error:
        raise MissingPackageError("Training", error.name or "torch", "train") from error
    values = {"network": network} if network else {}
    for change in changes or []:
        name, equals, value = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change}: give NAME=VALUE, such as epochs=5")
        values[name.strip()] = value.strip()
    with progress("training", quiet=quiet) as bar:
        _log_to(bar, quiet=quiet)
        result = session.train(
            recipe, data, out, extra_data=extra_data or (), changes=values, weights_folder=weights_folder,
            from_scratch=from_scratch, fold=fold, devices=devices, nodes=nodes, accelerator=accelerator,
            command="mien " + shlex.join(sys.argv[1:]), progress=bar,
        )  # fmt: skip
        monitor = result.recipe.monitor
        logging.getLogger("mien.training").info(
            "kept epoch %d, %s: validation accuracy %.3f, balanced accuracy %.3f\nweights: %s; "
            "evaluate them on images they never saw: mien evaluate",
            result.best_epoch, "the last" if monitor == "last" else f"the best {monitor}", result.best["accuracy"],
            result.best["balanced_accuracy"], result.weights.parent,
        )  # fmt: skip


def _log_to(bar: Bar, *, quiet: bool) -> None:
    """Lines of the training's log above the bar; with --quiet none but warnings."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            bar.write(record.getMessage())

    logger = logging.getLogger("mien.training")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    logger.handlers = [Lines()]
