"""`mien calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import JsonFile, Quiet, Tta

if TYPE_CHECKING:
    from rich.table import Table

    from mien.evaluation.calibrate import CalibrationResult


def calibrate(
    weights: Annotated[str, typer.Argument(help="Folder of a training run, or weights of your own by path.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Folder that mien data prepare wrote. May be repeated; sets are weighted equally."),
    ],
    split: Annotated[
        str,
        typer.Option(help="Images to use: valid, test, or all. Default: what the run held out, or valid."),
    ] = "",
    accuracy: Annotated[float, typer.Option(help="Selective accuracy that certain predictions must reach.")] = 0.9,
    tta: Tta = None,
    json_file: JsonFile = None,
    quiet: Quiet = False,
) -> None:
    """Calibrate weights: temperature, priors and the confidence threshold, written into their manifest."""
    import shlex
    import sys
    from dataclasses import asdict

    from rich.console import Console

    from mien.cli.output import check_output_files, write_json
    from mien.cli.progress import progress
    from mien.evaluation.calibrate import calibrate

    check_output_files(json_file)
    with progress("calibrating", quiet=quiet) as bar:
        result = calibrate(
            weights,
            data,
            split=split,
            tta=tta,
            accuracy=accuracy,
            command="mien " + shlex.join(sys.argv[1:]),
            progress=bar,
        )
    console = Console()
    for table in (_before_and_after(result), _thresholds(result, accuracy)):
        console.print(table)
    chosen = result.calibration
    for title, images in result.images.items():
        console.print(f"{title}: {images}")
    console.print(f"temperature {chosen.temperature:g}; half of the images chose, the other half is measured here")
    console.print(f"written into {result.manifest.path}", soft_wrap=True)
    if json_file is not None:
        write_json(asdict(chosen), json_file)


def _before_and_after(result: CalibrationResult) -> Table:
    """Each set before and after, on the half that chose nothing."""
    table = _table("set", "", "images", "accuracy", "balanced", "ECE", "log loss")
    for title, after in result.calibration.after.items():
        first = [title, "before", str(after["images"])]
        for metrics in (result.calibration.before[title], after):
            shares = [f"{metrics[key]:.1%}" for key in ("accuracy", "balanced_accuracy", "ece")]
            table.add_row(*first, *shares, f"{metrics['log_loss']:.3f}")
            first = ["", "after", ""]
    return table


def _thresholds(result: CalibrationResult, accuracy: float) -> Table:
    """The threshold of each operating point: how many predictions are certain, and how many of them right."""
    table = _table("priors", "strength", f"threshold for {accuracy:.0%}", "set", "coverage", "accuracy")
    for name, stated in result.calibration.thresholds.items():
        first = [name, f"{result.calibration.strengths[name]:+.2f}", f"{stated.threshold:.2f}"]
        for title, metrics in stated.measured.items():
            if isinstance(metrics, dict):
                right = "-" if metrics["accuracy"] is None else f"{metrics['accuracy']:.1%}"
                table.add_row(*first, title.removesuffix(", other half"), f"{metrics['coverage']:.1%}", right)
                first = ["", "", ""]
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in ("set", "", "priors") else "right")
    return table
