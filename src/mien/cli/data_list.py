"""`mien data list` and `mien data info`."""

from __future__ import annotations

from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mien.data import DATA_SETS, data_set
from mien.data.card import class_counts, facts, published_rows, short_licence, shows, sizes


def list_command() -> None:
    """One line per set."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", style="bold", no_wrap=True)
    for column in ("set", "classes", "published pictures", "states", "licence"):
        table.add_column(column)
    for name in DATA_SETS:
        record = data_set(name)
        counts, stated = "\n".join(sizes(record)), ", ".join(facts(record))
        table.add_row(name, record.title, class_counts(record), counts, stated, short_licence(record))
    console = Console()
    console.print(table)
    console.print("`mien data info NAME` says where a set comes from and what its folder must hold.", style="dim")


def info_command(name: str) -> None:
    """The whole record."""
    record = data_set(name)
    orders = [
        f"variant {variant}: {', '.join(labels)}" if variant else ", ".join(labels)
        for variant, labels in record.variants.items()
    ]
    console = Console(highlight=False)
    console.print(Text(record.title, style="bold"))
    for head, body in (
        ("Citation", record.citation),
        ("Licence", record.licence),
        ("Obtain", record.obtain),
        ("Unpacked", record.layout),
        ("Classes", "\n".join(orders)),
        ("Splits", record.split_rule),
        ("Protocol", record.protocol),
        ("Pictures", f"{shows(record)}; states {', '.join(['labels', *facts(record)])}"),
        ("Known faults", "\n".join(record.known_faults)),
    ):
        if body:
            console.print(Text(f"\n{head}", style="bold"))
            console.print(Text(indent(body, "  ")), soft_wrap=True)
    for title, columns, rows in published_rows(record):
        console.print(Text(f"\n{title}", style="bold"))
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for i, column in enumerate(columns):
            table.add_column(column, justify="right" if i else "left")
        for row in rows:
            table.add_row(*row)
        console.print(Padding(table, (0, 0, 0, 2)))
