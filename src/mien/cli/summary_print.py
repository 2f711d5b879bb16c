"""A `TableSummary` in a terminal of any width, or piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mien.analysis.summary import COUNTED, TableSummary
from mien.analysis.units import ExpressionSummary
from mien.cli.terminal import end_of_path, is_bounded, one_line, plain_console
from mien.draw.palette import colours_of
from mien.draw.video import clock
from mien.wording import counted

_MOST_VIDEOS = 6  # that are shown with their tracks; more get a line each
_BAR = 40  # cells at most
_LEAST_PATH = 14  # cells
_BAR_FROM = 8  # cells below which there is no bar


def print_summary(summary: TableSummary) -> None:
    """Everything, cut to the terminal's width; as wide as need be where the output is no terminal."""
    console = plain_console()
    bounded = False  # whether any interval was shown
    if len(summary.videos) > _MOST_VIDEOS:
        _heading(console, "videos", f"{len(summary.videos)}")
        bounded |= _units(console, summary.videos)
        for video in summary.videos:
            _resting_of(console, video, [track for track in summary.tracks if track.source == video.source])
    for video in summary.videos if len(summary.videos) <= _MOST_VIDEOS else ():
        _heading(console, video.source, _of_video(video, [t for t in summary.tracks if t.source == video.source]))
        bounded |= _expressions(console, video)
        tracks = [track for track in summary.tracks if track.source == video.source]
        bounded |= _units(console, tracks)
        _resting(console, tracks)
    if summary.segments:
        _heading(console, "segments", f"{len(summary.segments)}")
    for timed in (True, False):
        bounded |= _units(console, [one for one in summary.segments if (one.counted_s is not None) == timed])
    if len(summary.folders) > 1:
        _heading(console, "images", f"{len(summary.folders)} folders")
        bounded |= _units(console, summary.folders)
    for folder in summary.folders[: None if len(summary.folders) == 1 else 0]:
        _heading(console, folder.source, _of_images(folder))
        bounded |= _expressions(console, folder)
    if not any(summary):
        console.print("The table has no rows.\n")
    lines = [COUNTED, *(f"{note[0].upper()}{note[1:]}." for note in summary.notes)]
    intervals = sorted({unit.resampled for unit in summary if unit.resampled})
    if intervals and not bounded:
        lines.append("A wider terminal shows 95% intervals.")
    elif intervals:
        lines.append("In brackets: 95% intervals, bootstrap over " + (
            " or ".join(intervals) if len(intervals) < 3 else "blocks of time"
        ) + ".")  # fmt: skip
    elif any(unit.amount for unit in summary):
        lines.append("Too little was seen for intervals.")
    for line in lines:
        console.print(Text(line, "dim"))


def _heading(console: Console, name: str, text: str) -> None:
    console.print(Text.assemble((one_line(name), "bold"), f"  {text}"))


def _of_video(video: ExpressionSummary, tracks: Sequence[ExpressionSummary]) -> str:
    left_out = {"uncertain": video.uncertain_s or 0, "flagged": video.flagged_s or 0}
    parts = [f"{counted(video.frames, 'frame')}, {counted(len(tracks), 'track')}"]
    parts.append(f"faces seen {video.seen_s:,.1f} s, counted {video.counted_s:,.1f} s")
    parts += [f"{what} {seconds:,.1f} s" for what, seconds in left_out.items() if seconds >= 0.05]
    parts += [f"{counted(video.failed, 'error')}"] if video.failed else []
    return "; ".join(parts)


def _of_images(folder: ExpressionSummary) -> str:
    parts = [f"{counted(folder.faces, 'face')} in {counted(folder.files, 'image')}, {folder.counted:,} counted"]
    numbers = {"uncertain": folder.uncertain, "flagged": folder.flagged, "could not be read": folder.failed}
    parts += [f"{count:,} {what}" for what, count in numbers.items() if count]
    return ", ".join(parts)


def _expressions(console: Console, unit: ExpressionSummary) -> bool:
    """One line per expression, with a bar where there is space; whether intervals were among them."""
    if not unit.amount:
        console.print("  nothing counted\n")
        return False
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    colours = colours_of([one.expression for one in unit.expressions])
    names = max(cell_len(one.expression) for one in unit.expressions)
    bar = min(_BAR, console.width - names - 34) if is_bounded(console) else 0
    for one in unit.expressions:
        amount = f"{one.amount:,.1f} s" if unit.counted_s is not None else f"{one.amount:,.0f}"
        filled = Text("█" * round(bar * (one.share or 0)), colours[one.expression]) if bar >= _BAR_FROM else Text()
        cells = [
            Text(f"  {one.expression}"),
            Text(amount),
            Text(_share(one.share)),
            Text(_bounds(one.low, one.high)),
        ]
        table.add_row(*cells, filled, style="dim" if one.amount == 0 else "")
    for column in table.columns[1:3]:
        column.justify = "right"
    console.print(table)
    console.print()
    return any(one.low is not None for one in unit.expressions)


def _units(console: Console, units: Sequence[ExpressionSummary]) -> bool:
    """One line per track or folder: with a column per expression where they fit, else the most frequent.

    Whether intervals were among them.
    """
    if not units:
        return False
    columns = _columns(units)
    expressions = [
        one.expression for i, one in enumerate(units[0].expressions) if any(u.expressions[i].amount for u in units)
    ]
    wide = {name: [_cell(unit, name) for unit in units] for name in expressions}
    if _width(columns | wide) <= console.width:
        columns |= wide
    else:
        while _width(columns) + 24 > console.width and (spare := next((n for n in _SPARE if n in columns), None)):
            del columns[spare]
        _shorten(columns, _width(columns) + 24 - console.width)
        rest = console.width - _width(columns) - 2
        columns["most frequent"] = [_most_frequent(unit, rest) for unit in units]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        left = name in _LEFT or name in dict(units[0].segment)
        table.add_column(name, no_wrap=True, justify="left" if left else "right", overflow="ellipsis")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print()
    return any("(" in cell for name in expressions for cell in columns.get(name, ()))


def _shorten(columns: dict[str, list[str]], by: int) -> None:
    """Paths so many cells shorter, as far as that leaves their ends."""
    for name in ("folder", "video"):
        if name in columns and by > 0:
            longest = max(map(cell_len, columns[name]))
            columns[name] = [end_of_path(text, max(_LEAST_PATH, longest - by)) for text in columns[name]]


def _resting_of(console: Console, video: ExpressionSummary, tracks: Sequence[ExpressionSummary]) -> None:
    """Of one of many videos, below its name."""
    if any(track.resting for track in tracks):
        _heading(console, video.source, "against the resting face")
        _resting(console, tracks)


def _resting(console: Console, tracks: Sequence[ExpressionSummary]) -> None:
    """Scores outside and inside the stretches at rest, for the expressions that reach 1 % in either."""
    if not any(track.resting for track in tracks):
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("track", "at rest", "expression", "score", "resting", "change"):
        table.add_column(name, justify="left" if name == "expression" else "right")
    for track in tracks:
        face = track.resting
        if face is None:
            continue
        first = [str(track.track), f"{face.rest_s:,.1f} s"]
        if face.problem:
            table.add_row(*first, Text(face.problem))
        for one in (one for one in face.scores if max(one.score, one.rest) >= 0.01):
            low, high = one.low, one.high
            interval = "" if low is None or high is None else f" ({round(100 * low):+d} to {round(100 * high):+d})"
            table.add_row(*first, one.expression, f"{one.score:.0%}", f"{one.rest:.0%}",
                          f"{round(100 * one.change):+d}{interval}")  # fmt: skip
            first = ["", ""]
    console.print(table)
    console.print()


_SPARE = ("changes/min", "flagged", "images", "not seen", "uncertain", "faces", "seen", "faces seen")  # first
_LEFT = ("folder", "video", "most frequent")


def _columns(units: Sequence[ExpressionSummary]) -> dict[str, list[str]]:
    if units[0].kind == "track":
        columns = {
            "track": [str(unit.track) for unit in units],
            "seen": [_seen(unit) for unit in units],
            **_seconds(units),
            "changes/min": [
                "–" if unit.changes_per_minute is None else f"{unit.changes_per_minute:.1f}" for unit in units
            ],
        }
    elif units[0].kind == "video":
        columns = {
            "video": [end_of_path(one_line(unit.source), 30) for unit in units],
            "faces seen": [f"{unit.seen_s:,.1f} s" for unit in units],
            **_seconds(units),
            "errors": [f"{unit.failed:,}" for unit in units],
        }
    elif units[0].counted_s is not None:
        columns = {
            **_named(units),
            "faces seen": [f"{unit.seen_s:,.1f} s" for unit in units],
            "not seen": [f"{unit.not_seen_s:,.1f} s" for unit in units],
            **_seconds(units),
            "errors": [f"{unit.failed:,}" for unit in units],
        }
    else:
        columns = {
            **(
                _named(units)
                if units[0].kind == "segment"
                else {"folder": [end_of_path(one_line(unit.source), 30) for unit in units]}
            ),
            "images": [f"{unit.files:,}" for unit in units],
            "faces": [f"{unit.faces:,}" for unit in units],
            "counted": [f"{unit.counted:,}" for unit in units],
            "uncertain": [f"{unit.uncertain:,}" for unit in units],
            "flagged": [f"{unit.flagged:,}" for unit in units],
            "not read": [f"{unit.failed:,}" for unit in units],
        }
    empty = [
        name
        for name in ("not seen", "uncertain", "flagged", "errors", "not read")
        if all(cell.split()[0] in ("0", "0.0") for cell in columns.get(name, ()))
    ]
    return {name: cells for name, cells in columns.items() if name not in empty}


def _named(units: Sequence[ExpressionSummary]) -> dict[str, list[str]]:
    """What names segments: the columns of the user."""
    values = [dict(unit.segment) for unit in units]
    return {
        name: [end_of_path(one_line("" if one.get(name) is None else str(one[name])), 20) for one in values]
        for name in dict.fromkeys(name for one in values for name in one)
    }


def _seconds(units: Sequence[ExpressionSummary]) -> dict[str, list[str]]:
    """What was counted of tracks or videos, and what was left out."""
    return {
        "counted": [f"{unit.counted_s:,.1f} s" for unit in units],
        "uncertain": [f"{unit.uncertain_s:,.1f} s" for unit in units],
        "flagged": [f"{unit.flagged_s:,.1f} s" for unit in units],
    }


def _seen(track: ExpressionSummary) -> str:
    if track.first_s is None or track.last_s is None:
        return "–"
    return f"{clock(track.first_s)}–{clock(track.last_s)}"


def _width(columns: dict[str, list[str]]) -> int:
    return sum(max(cell_len(text) for text in (name, *cells)) + 2 for name, cells in columns.items())


def _cell(unit: ExpressionSummary, expression: str) -> str:
    one = next(one for one in unit.expressions if one.expression == expression)
    return f"{_share(one.share)} {_bounds(one.low, one.high)}".strip()


def _most_frequent(unit: ExpressionSummary, width: int) -> str:
    texts = [f"{one.expression} {_share(one.share)}" for one in unit.ranked()]
    while len(texts) > 1 and cell_len(", ".join(texts)) > width:
        texts.pop()
    return ", ".join(texts) or "–"


def _share(share: float | None) -> str:
    if share is None:
        return "–"
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"({100 * low:.0f}–{100 * high:.0f})"
