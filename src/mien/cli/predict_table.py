"""The table of faces that `mien predict` shows."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.terminal import end_of_path, one_line, plain_console
from mien.geometry import SIDES
from mien.media.paths import common_folder
from mien.pipeline.rows import TableRow
from mien.results import FLAG_REASONS, percent

_COLUMNS = ("image", "face", "expression", "next", "left top right bottom", "yaw pitch roll", "note")
_LEAST_NEEDED = ("yaw pitch roll", "next", "left top right bottom", "face")  # left out first in a narrow terminal
_IMAGE_CELLS = 24  # that the path keeps
_LEAST_IMAGE_CELLS, _LEAST_NOTE_CELLS = 10, 10  # in the narrowest terminals; longer notes go on below


def print_table(rows: list[TableRow], classes: list[str], threshold: float | None) -> None:
    """One line per face, cut to the terminal's width; as long as need be where the output is no terminal.

    `classes`: the p_ columns. `threshold`: least confidence of a certain prediction.
    """
    console = plain_console()
    lines, last = [], None
    for row in (row for row in rows if row["error"] is None):
        lines.append(_cells(row, classes, threshold) | {"image": one_line(row["source"]) * (row["source"] != last)})
        last = row["source"]
    if not lines:
        return
    _without_common_folder(console, lines)
    columns, widths = _fitting(lines, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(
            name, no_wrap=name != "note", justify="right" if name == "face" else "left", width=widths[name]
        )
    for line in lines:
        cells = {**line, "image": end_of_path(line["image"], widths["image"])}
        style = "" if line.get("note", "").startswith("uncertain") else "bold"
        table.add_row(*(Text(cells.get(name, ""), style if name == "expression" else "") for name in columns))
    console.print(table)


def _fitting(lines: list[dict[str, str]], width: int) -> tuple[list[str], dict[str, int]]:
    """The columns that a terminal of this width holds, and the cells of each; the expression is never cut."""
    widths = _widths(lines)
    columns = [name for name in _COLUMNS if any(line.get(name) for line in lines)]

    def left_over() -> int:
        return width - sum(widths[name] + 2 for name in columns if name != "image") - 2

    for name in _LEAST_NEEDED:
        if left_over() < min(widths["image"], _IMAGE_CELLS):
            columns = [column for column in columns if column != name]
    missing = min(widths["image"], _IMAGE_CELLS) - left_over()
    if "note" in columns and missing > 0:
        widths["note"] = max(widths["note"] - missing, min(widths["note"], _LEAST_NOTE_CELLS))
    widths["image"] = min(widths["image"], max(left_over(), _LEAST_IMAGE_CELLS))
    return columns, widths


def _widths(lines: list[dict[str, str]]) -> dict[str, int]:
    return {
        name: max(cell_len(text) for text in (name, *(line.get(name, "") for line in lines))) for name in _COLUMNS
    }


def _without_common_folder(console: Console, lines: list[dict[str, str]]) -> None:
    """In a terminal too narrow for whole paths, a common folder stands once above the table."""
    paths = [line["image"] for line in lines if line["image"]]
    if len(paths) < 2 or sum(width + 2 for width in _widths(lines).values()) <= console.width:
        return
    if folder := common_folder(paths):
        console.print(Text(f"in {folder}"), soft_wrap=True)
        for line in lines:
            line["image"] = line["image"].removeprefix(folder)


def _cells(row: TableRow, classes: list[str], threshold: float | None) -> dict[str, str]:
    if row["face"] is None:
        return {"face": "-", "expression": "no face detected"}
    first, second = sorted(classes, key=lambda name: -row[name])[:2]
    return {
        "face": str(row["face"]),
        "expression": f"{row['expression']} {percent(row[first])}",
        "next": f"{second.removeprefix('p_')} {percent(row[second])}",
        "left top right bottom": " ".join(f"{row[side]:.0f}" for side in SIDES),
        "yaw pitch roll": " ".join(
            f"{round(row[angle]) or 0:+d}°" for angle in ("yaw_deg", "pitch_deg", "roll_deg")
        ),
        "note": _note(row, threshold),
    }


def _note(row: TableRow, threshold: float | None) -> str:
    """Whether the prediction is uncertain, and why; problems of the face."""
    reasons = [FLAG_REASONS[flag] for flag in (row["flags"] or "").split()]
    if row["certain"] is False:
        return "uncertain: " + (", ".join(reasons) or f"below {100 * (threshold or 0):g}%")
    return ", ".join(reasons)
