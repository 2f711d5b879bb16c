"""`mien data list` and `mien data info`."""

from __future__ import annotations

from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mien.datasets import dataset_info, dataset_names
from mien.datasets.audit.card import (
    class_counts,
    facts,
    image_kinds,
    published_rows,
    short_licence,
    short_title,
    sizes,
)

WIDE = 78  # columns of a terminal for all columns of the table


def list_command() -> None:
    """One line per set; a narrow terminal shows fewer columns."""
    console = Console()
    wide = console.width >= WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("name", style="bold", no_wrap=True)
    for column in ("set", "classes") if wide else ("classes",):
        table.add_column(column)
    table.add_column("published images", min_width=len("train 283,901"))
    if wide:
        table.add_column("annotations")
    table.add_column("licence", min_width=len("Non-commercial"))
    for name in dataset_names():
        info = dataset_info(name)
        row = [name, short_title(info), class_counts(info), "\n".join(sizes(info)), ", ".join(facts(info))]
        row = row if wide else [row[0], row[2], row[3]]
        table.add_row(*row, short_licence(info))
    console.print(table)
    console.print("`mien data info NAME` says where a set comes from and what its folder must hold.", style="dim")


def info_command(name: str) -> None:
    """The whole info."""
    info = dataset_info(name)
    orders = [
        f"variant {variant}: {', '.join(labels)}" if variant else ", ".join(labels)
        for variant, labels in info.variants.items()
    ]
    console = Console(highlight=False)
    console.print(Text(info.title, style="bold"))
    for head, body in (
        ("Citation", info.citation),
        ("Licence", info.licence),
        ("Obtain", info.obtain),
        ("Unpacked", info.layout),
        ("Classes", "\n".join(orders)),
        ("Splits", info.split_rule),
        ("Protocol", info.protocol),
        ("Images", f"{image_kinds(info)}; annotations: {', '.join(['labels', *facts(info)])}"),
        ("Known faults", "\n".join(info.known_faults)),
    ):
        if body:
            console.print(Text(f"\n{head}", style="bold"))
            console.print(Text(indent(body, "  ")), soft_wrap=True)
    for title, columns, rows in published_rows(info):
        console.print(Text(f"\n{title}", style="bold"))
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for i, column in enumerate(columns):
            table.add_column(column, justify="right" if i else "left")
        for row in rows:
            table.add_row(*row)
        console.print(Padding(table, (0, 0, 0, 2)))
