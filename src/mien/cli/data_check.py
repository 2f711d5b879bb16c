"""`mien data check`: counts beside the published ones, problems, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.output import write_json
from mien.cli.progress import progress
from mien.datasets.audit.check import ALL, Count, DatasetCheck, SplitOverlap, check
from mien.datasets.samples import Problem

_FIRST = 3  # problems of a kind that are shown


def check_command(
    name: str,
    folder: Path,
    *,
    variant: str,
    duplicates: bool,
    every: bool,
    workers: int,
    json_file: Path | None,
    quiet: bool,
) -> int:
    """0: as published; 1: not."""
    with progress("opening images", quiet=quiet) as bar:
        result = check(name, folder, variant=variant, duplicates=duplicates, workers=workers, progress=bar)
    if json_file is not None:
        write_json(result.to_dict(), json_file)
    console = Console(highlight=False)
    if result.images:
        console.print(_counts(result))
    for note in result.notes:
        console.print(Text(f"Note: {note}."), soft_wrap=True)
    _problems(console, result.problems, every)
    for overlap in result.overlaps:
        _overlap(console, overlap)
    if result.repeated:
        text = f"Note: near-duplicates of another image of their own split: {result.repeated:,}."
        console.print(Text(text), soft_wrap=True)
    if result.contradictions:
        text = f"Note: {result.contradictions:,} pairs of near-duplicates carry two different labels."
        console.print(Text(text), soft_wrap=True)
    if not result.images:
        console.print(Text("\nWhere it comes from", style="bold"))
        console.print(Text(indent(result.obtain, "  ")), soft_wrap=True)
        console.print(Text("What the unpacked folder holds", style="bold"))
        console.print(Text(indent(result.layout, "  ") + "\n"), soft_wrap=True)
    console.print(Text(result.verdict, style="bold green" if result.usable else "bold red"), soft_wrap=True)
    return 0 if result.usable else 1


def _counts(result: DatasetCheck) -> Table:
    """Classes down, splits across; published numbers beside those that differ."""
    cells = {(count.label, count.split): count for count in result.counts}
    labels = list(dict.fromkeys(count.label for count in result.counts if count.label != ALL))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("class")
    for total in result.totals:
        table.add_column(total.split or "images", justify="right")
    for label in [*labels, ALL]:
        row = [_cell(cells[label, total.split], total.split in result.absent) for total in result.totals]
        table.add_row(label, *row, style="bold" if label == ALL else "", end_section=label == labels[-1])
    return table


def _cell(count: Count, absent: bool) -> Text:
    if absent and count.label != ALL:
        return Text("-", style="dim")
    if count.published is None:
        return Text(f"{count.images:,}")
    if count.agrees:
        return Text(f"{count.images:,}", style="green")
    return Text(f"{count.images:,} (published {count.published:,})", style="red")


def _problems(console: Console, problems: Sequence[Problem], every: bool) -> None:
    kinds = dict.fromkeys(problem.kind for problem in problems)
    for kind in kinds:
        of_kind = [problem for problem in problems if problem.kind == kind]
        console.print(Text(f"{kind}: {len(of_kind):,}", style="bold red"))
        for problem in of_kind if every else of_kind[:_FIRST]:
            console.print(Text(f"  {problem}"), soft_wrap=True)
        if not every and len(of_kind) > _FIRST:
            console.print(Text(f"  and {len(of_kind) - _FIRST:,} more; --all lists them", style="dim"))


def _overlap(console: Console, overlap: SplitOverlap) -> None:
    left, right = overlap.splits
    rows = f"{overlap.rows[0]:,} images of {left} and {overlap.rows[1]:,} of {right}"
    if overlap.kind == "subject":
        text = f"{overlap.count:,} subjects stand in {left} and in {right} ({rows})"
    else:
        text = f"{overlap.count:,} near-duplicate pairs cross from {left} to {right} ({rows})"
    console.print(Text(f"Warning: {text}, for example", style="yellow"), soft_wrap=True)
    for example in overlap.examples:
        console.print(Text(f"  {example}"), soft_wrap=True)
