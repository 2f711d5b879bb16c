"""`mien data check`: what is there, what is missing, what repeats itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.output import write_json
from mien.cli.progress import progress
from mien.datasets import dataset_info
from mien.datasets.audit.check import ALL, Check, Count, Crossing, check
from mien.datasets.samples import Problem

_FIRST = 3  # problems of a kind that are shown


def check_command(
    name: str,
    folder: Path,
    *,
    variant: str,
    fast: bool,
    every: bool,
    jobs: int,
    json_file: Path | None,
    quiet: bool,
) -> int:
    """0: usable as published; 1: not."""
    info = dataset_info(name)
    with progress("opening images", quiet=quiet) as bar:
        found = check(
            info, folder, variant=variant, decode=not fast, jobs=jobs or os.cpu_count() or 1, watch=bar.step
        )
    if json_file is not None:
        write_json(found.to_dict(), json_file)
    console = Console(highlight=False)
    if found.images:
        console.print(_counts(found))
    for hook in found.notes:
        console.print(Text(f"Note: {hook}."), soft_wrap=True)
    _problems(console, found.problems, every)
    for crossing in found.crossings:
        _crossing(console, crossing)
    if found.repeated:
        said = f"Note: near-duplicates of another image of their own split: {found.repeated:,}."
        console.print(Text(said), soft_wrap=True)
    if found.contradictions:
        said = f"Note: {found.contradictions:,} pairs of near-duplicates carry two different labels."
        console.print(Text(said), soft_wrap=True)
    if not found.images:
        console.print(Text("\nWhere it comes from", style="bold"))
        console.print(Text(indent(found.obtain, "  ")), soft_wrap=True)
        console.print(Text("What the unpacked folder holds", style="bold"))
        console.print(Text(indent(found.layout, "  ") + "\n"), soft_wrap=True)
    console.print(Text(found.verdict, style="bold green" if found.usable else "bold red"), soft_wrap=True)
    return 0 if found.usable else 1


def _counts(found: Check) -> Table:
    """Classes down, splits across; published numbers beside those that differ."""
    cells = {(count.label, count.split): count for count in found.counts}
    labels = list(dict.fromkeys(count.label for count in found.counts if count.label != ALL))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("class")
    for total in found.totals:
        table.add_column(total.split or "images", justify="right")
    for label in [*labels, ALL]:
        row = [_cell(cells[label, total.split], total.split in found.absent) for total in found.totals]
        table.add_row(label, *row, style="bold" if label == ALL else "", end_section=label == labels[-1])
    return table


def _cell(count: Count, absent: bool) -> Text:
    if absent and count.label != ALL:
        return Text("-", style="dim")
    if count.published is None:
        return Text(f"{count.found:,}")
    if count.agrees:
        return Text(f"{count.found:,}", style="green")
    return Text(f"{count.found:,} (published {count.published:,})", style="red")


def _problems(console: Console, problems: Sequence[Problem], every: bool) -> None:
    kinds = dict.fromkeys(problem.kind for problem in problems)
    for kind in kinds:
        of_kind = [problem for problem in problems if problem.kind == kind]
        console.print(Text(f"{kind}: {len(of_kind):,}", style="bold red"))
        for problem in of_kind if every else of_kind[:_FIRST]:
            console.print(Text(f"  {problem}"), soft_wrap=True)
        if not every and len(of_kind) > _FIRST:
            console.print(Text(f"  and {len(of_kind) - _FIRST:,} more; --all lists them", style="dim"))


def _crossing(console: Console, crossing: Crossing) -> None:
    left, right = crossing.splits
    rows = f"{crossing.rows[0]:,} images of {left} and {crossing.rows[1]:,} of {right}"
    if crossing.kind == "subject":
        said = f"{crossing.count:,} subjects stand in {left} and in {right} ({rows})"
    else:
        said = f"{crossing.count:,} near-duplicate pairs cross from {left} to {right} ({rows})"
    console.print(Text(f"Warning: {said}, for example", style="yellow"), soft_wrap=True)
    for example in crossing.examples:
        console.print(Text(f"  {example}"), soft_wrap=True)
