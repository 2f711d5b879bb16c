"""`mien data summary`: tables, a plot, JSON."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.output import write_json, writing
from mien.datasets import dataset_info
from mien.datasets.audit.summary import POSE_DEG, Summary, summarize
from mien.draw.summary_plot import plot_summary
from mien.wording import counted


def summary_command(name: str, folder: Path, *, variant: str, save: Path | None, json_file: Path | None) -> None:
    """Print the tables; write the plots and the JSON file if wanted."""
    title = dataset_info(name).title
    summary = summarize(name, folder, variant=variant)
    console = Console(highlight=False)
    console.print(Text(f"{title}: {counted(summary.images, 'image')}", style="bold"))
    console.print(_classes(summary))
    for head, sentence in _sentences(summary):
        console.print(Text.assemble((f"{head}: ", "bold"), sentence), soft_wrap=True)
    if summary.poses is not None:
        console.print(_poses(summary))
    if json_file is not None:
        write_json(summary.to_dict(), json_file)
    if save is not None:
        with writing(save):
            plot_summary(summary, save, title=title)


def _classes(summary: Summary) -> Table:
    """Class by split: images and their share, and the doubt of the voters."""
    doubt = summary.votes.entropy_bits if summary.votes else {}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("class")
    for split in summary.counts:
        table.add_column(split or "images", justify="right")
    if doubt:
        table.add_column("entropy of votes", justify="right")
    totals = {split: sum(counts.values()) for split, counts in summary.counts.items()}
    for name in next(iter(summary.counts.values())):
        numbers = [counts[name] for counts in summary.counts.values()]
        if name == "no label" and not any(numbers):
            continue
        cells = [
            f"{count:,} {count / max(1, total):>6.1%}"
            for count, total in zip(numbers, totals.values(), strict=True)
        ]
        bits = f"{doubt[name]:.2f} bits" if name in doubt else ""
        table.add_row(name, *cells, *([bits] if doubt else []))
    table.add_section()
    table.add_row("all", *(f"{total:,} 100.0%" for total in totals.values()), style="bold")
    return table


def _sentences(summary: Summary) -> list[tuple[str, str]]:
    sentences = []
    if (votes := summary.votes) is not None:
        sentences.append(
            (
                "Votes",
                f"on {counted(votes.rows, 'image')}; all agree on {votes.unanimous:.1%}, more than half on "
                f"{votes.majority:.1%}; mean entropy {votes.mean_entropy_bits:.2f} bits",
            )
        )
    if (who := summary.subjects) is not None:
        splits = ", ".join(f"{split} {count}" for split, count in who.per_split.items())
        unnamed = f"; {who.unnamed:,} images name none" if who.unnamed else ""
        sentences.append(
            (
                "Subjects",
                f"{who.count:,}{f' ({splits})' * bool(splits)}; {who.fewest:,} to {who.most:,} images each, "
                f"median {who.median:g}{unnamed}",
            )
        )
    if summary.groups is not None:
        sentences.append(("Groups", f"{summary.groups:,} (videos or shots whose images belong together)"))
    if (sizes := summary.sizes) is not None:
        least, median, most = (f"{width}x{height}" for width, height in (sizes.least, sizes.median, sizes.most))
        shape = f"all {least} pixels" if sizes.one_size else f"{least} to {most} pixels, median {median}"
        broken = f"; {sizes.unreadable} unreadable" if sizes.unreadable else ""
        sentences.append(("Sizes", f"{shape}, of {counted(sizes.opened, 'image')} opened{broken}"))
    return sentences


def _poses(summary: Summary) -> Table:
    assert summary.poses is not None  # noqa: S101
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("degrees")
    for angle in POSE_DEG:
        table.add_column(f"{angle:+d}" if angle else "0", justify="right")
    for name, counts in (("yaw", summary.poses.yaw), ("pitch", summary.poses.pitch)):
        if sum(counts):
            table.add_row(name, *(f"{count:,}" if count else "." for count in counts))
    return table
