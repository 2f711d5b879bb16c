"""`mien plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Baseline, Raw, Table


def plot(
    table: Table,
    output: Annotated[Path, typer.Option("--output", "-o", help="The figure: .png, .svg or .pdf.")],
    style: Annotated[str, typer.Option(help="Style of the figure: stacked or lines.")] = "stacked",
    baseline: Baseline = None,
    raw: Raw = False,
) -> None:
    """Plot a prediction table: expressions over time for each track; counts per folder for images."""
    from mien.analysis.plot import plot_table
    from mien.cli.output import check_output_files, writing

    check_output_files(output, inputs=(table,))
    with writing(output):
        plot_table(table, output, style=style, baseline=baseline or (), raw=raw)
