"""`mien data list` and `mien data info`."""

from __future__ import annotations

from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mien.datasets import dataset_info, dataset_names
from mien.datasets.audit.card import class_counts, facts, image_kinds, published_rows, short_licence, sizes


def list_command() -> None:
    """One line per set."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", style="bold", no_wrap=True)
    for column in ("set", "classes", "published images", "states", "licence"):
        table.add_column(column)
    for name in dataset_names():
        info = dataset_info(name)
        counts, stated = "\n".join(sizes(info)), ", ".join(facts(info))
        table.add_row(name, info.title, class_counts(info), counts, stated, short_licence(info))
    console = Console()
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
        ("Images", f"{image_kinds(info)}; states {', '.join(['labels', *facts(info)])}"),
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
