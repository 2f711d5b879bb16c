"""`mien train`."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import Quiet, recipe_names

if TYPE_CHECKING:
    from mien.cli.progress import Bar


def train(
    recipes: Annotated[
        list[str],
        typer.Argument(
            help="Name (mien recipes list), Python file or import path of a recipe, pkg.mod:RECIPE. Several are "
            "trained at once, each in a folder of its name in --out.",
            autocompletion=recipe_names,
        ),
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
    minutes: Annotated[
        float,
        typer.Option(help="Training time in minutes; the number of epochs follows from a few timed steps.", min=0),
    ] = 0.0,
    network: Annotated[
        str,
        typer.Option(
            help="Another network, by name or import path of its config, mypkg.net:Config; random weights."
        ),
    ] = "",
    weights_folder: Annotated[
        Path, typer.Option(help="Folder of pretrained weights that are not in the package.")
    ] = Path("weights"),
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="No pretrained weights; nothing is frozen.")
    ] = False,
    fold: Annotated[int, typer.Option(help="Which fold of the recipe's protocol, from 0.", min=0)] = 0,
    devices: Annotated[str, typer.Option(help="GPUs or processes: a number, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.", min=1)] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    quiet: Quiet = False,
) -> int:
    """Train the network of a recipe, or of several at once. Repeat the command to resume an interrupted run."""
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
    if minutes:
        values["minutes"] = str(minutes)
    if len(recipes) > 1:
        shared = {
            "--data": data, "--extra-data": extra_data or (), "--set": changes or (), "--fold": [fold],
            "--weights-folder": [weights_folder], "--devices": [devices], "--accelerator": [accelerator],
            "--minutes": [minutes], "--network": [network] if network else (),
        }  # fmt: skip
        arguments = [word for option, given in shared.items() for value in given for word in (option, str(value))]
        arguments += ["--from-scratch"] * from_scratch + ["--quiet"] * quiet
        return _several(recipes, out, arguments, nodes=nodes)
    with progress("training", quiet=quiet) as bar:
        _log_to(bar, quiet=quiet)
        result = session.train(
            recipes[0], data, out, extra_data=extra_data or (), changes=values, weights_folder=weights_folder,
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
    return 0


def _several(recipes: list[str], out: Path, arguments: list[str], *, nodes: int) -> int:
    """One process for each recipe; 1 where one of them failed."""
    import torch

    from mien.errors import OptionError
    from mien.training.several import train_several

    if nodes > 1:
        raise OptionError("--nodes: several recipes are trained on one machine; start one recipe per command")

    def write(line: str) -> None:
        typer.echo(line, err=True)

    runs = train_several(recipes, out, arguments, write=write, gpus=torch.cuda.device_count())
    for one in runs:
        write(f"{one.recipe}: {'finished, ' + str(one.folder / 'weights') if one.code == 0 else 'FAILED'}")
    return int(any(one.code for one in runs))


def _log_to(bar: Bar, *, quiet: bool) -> None:
    """Lines of the training's log above the bar; with --quiet none but warnings."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            bar.write(record.getMessage())

    logger = logging.getLogger("mien.training")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    logger.handlers = [Lines()]
