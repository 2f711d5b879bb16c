"""What `mien predict` shows of videos: one line per track, and the options that say which frames are examined."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import typer

from mien.cli.terminal import end_of_path, one_line, plain_console
from mien.draw.video import clock
from mien.results import VideoFrame

_LEAST_CELLS, _OTHER_CELLS = 16, 84  # of the path, and of the other columns with three expressions
_COLUMNS = {"video": _LEAST_CELLS, "track": 5, "from": 6, "to": 6, "frames": 6, "expressions": 22, "uncertain": 9}
_LEAST_NEEDED = ("frames", "from", "to")  # left out first in a narrow terminal
_MOST_TRACKS = 40  # shown of one video: those longest in sight


def seconds(text: str | None) -> float | None:
    """ "90", "1:30" and "0:01:30.5" as seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", text.strip())
    hours, minutes, rest = match.groups("0") if match else ("", "", "")
    if match is None or (match[2] and float(rest) >= 60) or (match[1] and int(minutes) >= 60):
        raise typer.BadParameter(f"{text!r} is no time; give seconds, M:SS or H:MM:SS")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


@dataclass
class _Track:
    first_s: float
    last_s: float
    expressions: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0


class TrackLines:
    """Counts the tracks of videos, to be shown when all frames have been seen."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, int], _Track] = {}
        self._videos: dict[str, bool] = {}  # whether a face was in sight

    def add(self, result: VideoFrame) -> None:
        """One more frame."""
        if result.time_s is None:
            return
        self._videos[result.source] = bool(result.faces) or self._videos.get(result.source, False)
        for face in result.faces:
            if face.track is None or face.expression is None:
                continue
            track = self._tracks.setdefault((result.source, face.track), _Track(result.time_s, result.time_s))
            track.last_s = result.time_s
            track.expressions[str((face.smoothed or face.expression).top)] += 1
            track.uncertain += face.certain is False

    def print(self) -> None:
        """One line per track: when it was in sight, and the share of its frames per expression.

        One per video without a face, too, and one that counts tracks that are not shown.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        console, lines = plain_console(), list[dict[str, str]]()
        columns = dict(_COLUMNS)
        for name in _LEAST_NEEDED:
            if sum(columns.values()) + 2 * len(columns) > console.width:
                del columns[name]
        for name in columns:
            left = name in ("video", "expressions")
            table.add_column(name, no_wrap=name != "expressions", justify="left" if left else "right")
        room = max(_LEAST_CELLS, console.width - _OTHER_CELLS)
        for source, seen in self._videos.items():
            name = end_of_path(one_line(source), room)
            if not seen:
                lines.append({"video": name, "track": "-", "expressions": "no face detected"})
            shown, hidden = self._shown(source)
            for number, track in shown:
                lines.append(_line(track) | {"video": name, "track": str(number)})
                name = ""
            if hidden:
                lines.append({"expressions": f"and {hidden} shorter tracks"})
        for cells in lines:
            table.add_row(*(Text(cells.get(column, "")) for column in columns))
        if lines:
            console.print(table)

    def _shown(self, source: str) -> tuple[list[tuple[int, _Track]], int]:
        """The longest tracks of a video in the order of their numbers, and how many are left out."""
        tracks = [(number, track) for (video, number), track in self._tracks.items() if video == source]
        longest = sorted(tracks, key=lambda item: -item[1].expressions.total())[:_MOST_TRACKS]
        return sorted(longest, key=lambda item: item[0]), len(tracks) - len(longest)


def _line(track: _Track) -> dict[str, str]:
    total = track.expressions.total()
    shares = [f"{label} {count / total:.0%}" for label, count in track.expressions.most_common(3)]
    return {
        "from": clock(track.first_s),
        "to": clock(track.last_s),
        "frames": str(total),
        "expressions": ", ".join(shares),
        "uncertain": f"{track.uncertain / total:.0%}" if track.uncertain else "",
    }
