"""What `mien predict` shows a person: a table of faces and one sentence at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.cli.output import counted
from mien.cli.terminal import end_of_path, one_line, plain_console
from mien.geometry import SIDES
from mien.media.paths import common_folder
from mien.pipeline.rows import TableRow
from mien.results import FLAG_REASONS, ImageResult, VideoFrame, percent

_COLUMNS = ("image", "face", "expression", "next", "left top right bottom", "yaw pitch roll", "note")
_LEAST_NEEDED = ("yaw pitch roll", "next", "left top right bottom", "face")  # left out first in a narrow terminal
_IMAGE_CELLS = 24  # that the path keeps
_LEAST_IMAGE_CELLS, _LEAST_NOTE_CELLS = 10, 10  # in the narrowest terminals; longer notes go on below


class Summary:
    """Counts of a run over `total` images, with those that an earlier run has done."""

    images = frames = faces = empty = failed = uncertain = flagged = 0

    def __init__(self, total: int) -> None:
        self.total = total
        self._expressions: Counter[str] = Counter()  # of all faces of images
        self._certain: Counter[str] = Counter()
        self._videos: set[str] = set()
        self._broken: set[str] = set()

    def add(self, result: ImageResult) -> None:
        """One more result."""
        if isinstance(result, VideoFrame) and result.error is None:
            self._videos.add(result.source)
        if result.error is not None:
            self.failed += 1
            self._broken.add(result.source)
            return
        self.frames += isinstance(result, VideoFrame)
        self.images += not isinstance(result, VideoFrame)
        self.faces += len(result.faces)
        self.empty += not result.faces
        self.uncertain += sum(face.certain is False for face in result.faces)
        tops = [(str(face.expression.top), face.certain) for face in result.faces if face.expression is not None]
        if not isinstance(result, VideoFrame):  # frames of one person are no further faces
            self._expressions.update(top for top, _ in tops)
            self._certain.update(top for top, certain in tops if certain)
        self.flagged += sum(face.quality is not None and face.quality.flags != () for face in result.faces)

    @property
    def before(self) -> int:
        """Sources that an earlier run has done."""
        return self.total - self.images - len(self._videos | self._broken)

    def sentence(self, output: Path | None, *, others: int = 0) -> str:
        """The counts in words, zeros left out. `others`: sources of the table that this run was not given."""
        counts = {
            "uncertain": self.uncertain,
            "flagged": self.flagged,
            "without a face": self.empty,
            "could not be read" + " to the end" * (self._broken <= self._videos): self.failed,
            "done before": self.before,
        }
        read = [counted(self.images, "image")] if self.images or not self.frames else []
        if self.frames:
            read.append(f"{counted(self.frames, 'frame')} of {counted(len(self._videos), 'video')}")
        parts = [f"{counted(self.faces, 'face')} in {' and '.join(read)}"]
        parts += [f"{count} {what}" for what, count in counts.items() if count > 0]
        kept = f", with {counted(others, 'source')} of earlier runs" if others > 0 else ""
        return ", ".join(parts) + (f"; table: {output}{kept}" if output else "")

    def expressions(self) -> list[str]:
        """Faces and certain predictions of each expression as lines of a small table, the most frequent first.

        None where an earlier run has done a part: they would be those of the rest.
        """
        if not self._expressions or self.images < 2 or self.before > 0:
            return []
        stated = self.uncertain > 0 or bool(self._certain)  # else the weights state no threshold
        rows = [("expression" + " in images" * bool(self._videos), "faces", "certain")]
        rows += [
            (name, f"{count:,}", f"{self._certain[name]:,}") for name, count in self._expressions.most_common()
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return [
            f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}" + f"  {row[2]:>{widths[2]}}" * stated for row in rows
        ]


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
