"""What `mien predict` shows of videos: one line per track, and the options that say which frames are examined."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import typer

from mien.cli.predict_table import end_of_path, one_line, plain_console
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
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time; give seconds, M:SS or H:MM:SS")
    hours, minutes, rest = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest)


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

    def add(self, result: VideoFrame) -> None:
        """One more frame."""
        if result.time_s is None:
            return
        for face in result.faces:
            if face.track is None or face.expression is None:
                continue
            track = self._tracks.setdefault((result.source, face.track), _Track(result.time_s, result.time_s))
            track.last_s = result.time_s
            track.expressions[str((face.smoothed or face.expression).top)] += 1
            track.uncertain += face.certain is False

    def print(self) -> None:
        """One line per track: when it was in sight, and the share of its frames per expression."""
        from rich.table import Table
        from rich.text import Text

        if not self._tracks:
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        console, last = plain_console(), None
        columns = dict(_COLUMNS)
        for name in _LEAST_NEEDED:
            if sum(columns.values()) + 2 * len(columns) > console.width:
                del columns[name]
        for name in columns:
            left = name in ("video", "expressions")
            table.add_column(name, no_wrap=name != "expressions", justify="left" if left else "right")
        room = max(_LEAST_CELLS, console.width - _OTHER_CELLS)
        for (source, number), track in self._shown():
            total = track.expressions.total()
            shares = [f"{label} {count / total:.0%}" for label, count in track.expressions.most_common(3)]
            cells = {
                "video": end_of_path(one_line(source), room) if source != last else "",
                "track": str(number),
                "from": clock(track.first_s),
                "to": clock(track.last_s),
                "frames": str(total),
                "expressions": ", ".join(shares),
                "uncertain": f"{track.uncertain / total:.0%}" if track.uncertain else "",
            }
            last = source
            table.add_row(*(Text(cells[name]) for name in columns))
        console.print(table)

    def _shown(self) -> list[tuple[tuple[str, int], _Track]]:
        """The longest tracks of each video, in the order of their videos and numbers."""
        shown = []
        for source in dict.fromkeys(source for source, _ in self._tracks):
            of_source = [item for item in self._tracks.items() if item[0][0] == source]
            longest = sorted(of_source, key=lambda item: -item[1].expressions.total())[:_MOST_TRACKS]
            shown += sorted(longest, key=lambda item: item[0][1])
        return shown
