"""`mien bench`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import JsonFile, Quiet, all_weights_names
from mien.errors import OptionError

if TYPE_CHECKING:
    from mien.pipeline.bench import BenchResult


def bench(
    weights: Annotated[
        list[str] | None,
        typer.Argument(
            help="Networks of the package. Default: default and landmarks68.", autocompletion=all_weights_names
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Measuring time per setting.")] = 0.3,
    json_file: JsonFile = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the roofline as an image: .png, .svg or .pdf.", show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Measure prediction speed on this machine against its roofline, and recommend settings. About a minute."""
    from mien.cli.progress import progress
    from mien.media.atomic import atomic_write
    from mien.pipeline.bench import MILLION_PRODUCTS, bench
    from mien.pipeline.roofline import check_plot, draw_roofline

    names = tuple(weights or ("default", "landmarks68"))
    if unknown := [name for name in names if name not in MILLION_PRODUCTS]:
        raise OptionError(f"{unknown[0]!r} is not measured; name some of {', '.join(MILLION_PRODUCTS)}")
    if not 0 < seconds <= 60:
        raise OptionError(f"--seconds {seconds:g} must lie between 0 and 60")
    if plot is not None:
        check_plot(plot)
    with progress("measuring", quiet=quiet) as bar:
        result = bench(weights=names, seconds=seconds, progress=bar)
    _print(result)
    if json_file is not None:
        atomic_write(json_file, (json.dumps(asdict(result), indent=2) + "\n").encode())
    if plot is not None:
        draw_roofline(result, plot)


def _print(result: BenchResult) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    rates = ", ".join(f"{rate:g} on {count}" for count, rate in result.billion_products_s.items())
    console.print(f"{result.machine['processor']}, {result.machine['cores']} cores, load {result.machine['load']}")
    if result.machine["load"] is not None and result.machine["load"] > 0.5 * result.machine["cores"]:
        console.print("the machine was busy with other work before; measure again when it is quiet")
    console.print(f"matrix product: billion multiply-adds a second, by threads: {rates}")
    console.print(f"memory: {result.gigabytes_s:g} GB/s")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for name in ("network", "precision"):
        table.add_column(name)
    for name in ("threads", "batch", "ms a face", "G/s", "a byte", "of roof"):
        table.add_column(name, justify="right")
    for one in result.networks:
        table.add_row(
            one.network, one.precision, str(one.threads), str(one.batch), f"{one.ms_per_face:.2f}",
            f"{one.billion_products_s:.0f}", f"{one.products_per_byte:.0f}", f"{one.share:.0%}",
        )  # fmt: skip
    console.print(table)
    for title, stages in result.stages_ms.items():
        console.print(
            f"1080p photo, {title}, ms: "
            + ", ".join(f"{name} {ms:g}" for name, ms in stages.items() if name != "faces")
        )
    for line in result.advice:
        console.print(line)
