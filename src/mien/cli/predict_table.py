"""What `mien predict` shows a person: a table of faces and one sentence at the end."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.output import counted
from mien.pipeline.table import TableRow
from mien.results import ImageResult

_PROBLEMS = {  # of `mien.results.FLAGS`
    "small": "face too small",
    "off-axis": "turned too far",
    "blurred": "too blurred",
    "dark": "too dark",
    "flat": "too little contrast",
    "overexposed": "overexposed",
}


class Summary:
    """Counts of a run over `total` images, with those that an earlier run has done."""

    images = faces = empty = failed = uncertain = flagged = 0

    def __init__(self, total: int) -> None:
        self.total = total

    def add(self, result: ImageResult) -> None:
        """One more result."""
        if result.error is not None:
            self.failed += 1
            return
        self.images += 1
        self.faces += len(result.faces)
        self.empty += not result.faces
        self.uncertain += sum(face.certain is False for face in result.faces)
        self.flagged += sum(face.quality is not None and face.quality.flags != () for face in result.faces)

    def sentence(self, output: Path | None) -> str:
        """The counts in words, zeros left out."""
        before = self.total - self.images - self.failed
        counts = {
            "uncertain": self.uncertain,
            "hard to see": self.flagged,
            "without a face": self.empty,
            "could not be read": self.failed,
            "done before": before,
        }
        parts = [f"{counted(self.faces, 'face')} in {counted(self.images, 'image')}"]
        parts += [f"{count} {what}" for what, count in counts.items() if count > 0]
        return ", ".join(parts) + (f"; table: {output}" if output else "")


def one_line(name: str) -> str:
    """A file's name on one line, without control codes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def print_table(rows: list[TableRow], classes: list[str]) -> None:
    """One line per face; the head pose where the terminal is wide enough. `classes`: the p_ columns."""
    console = Console()
    with_pose = console.width >= 100
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("face", justify="right")
    for name in ("expression", "next", "left top right bottom", *(["yaw pitch roll"] if with_pose else [])):
        table.add_column(name, no_wrap=True)
    for row in rows:
        if row["error"] is not None:
            continue
        image = Text(one_line(row["source"]))
        if row["face"] is None:
            table.add_row(image, "-", "no face detected")
            continue
        first, second = sorted(classes, key=lambda name: -row[name])[:2]
        style = "not bold" if row["certain"] is False else "bold"
        cells = [
            str(row["face"]),
            "\n  ".join([f"[{style}]{row['expression']}[/] {row[first]:.0%}", *_problems(row)]),
            f"{second.removeprefix('p_')} {row[second]:.0%}",
            " ".join(f"{row[side]:.0f}" for side in ("left", "top", "right", "bottom")),
        ]
        if with_pose:
            cells.append(" ".join(f"{row[angle]:+.0f}°" for angle in ("yaw_deg", "pitch_deg", "roll_deg")))
        table.add_row(image, *cells)
    if table.row_count:
        console.print(table)


def _problems(row: TableRow) -> list[str]:
    uncertain = ["uncertain"] if row["certain"] is False else []
    return uncertain + [_PROBLEMS[flag] for flag in (row["flags"] or "").split()]
