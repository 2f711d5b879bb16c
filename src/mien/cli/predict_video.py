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
        for name in ("video", "track", "from", "to", "frames", "expressions", "uncertain"):
            left = name in ("video", "expressions")
            table.add_column(name, no_wrap=name != "expressions", justify="left" if left else "right")
        console, last = plain_console(), None
        room = max(_LEAST_CELLS, console.width - _OTHER_CELLS)
        for (source, number), track in self._shown():
            total = track.expressions.total()
            shares = [f"{label} {count / total:.0%}" for label, count in track.expressions.most_common(3)]
            cells = [
                end_of_path(one_line(source), room) if source != last else "",
                str(number), clock(track.first_s), clock(track.last_s),
                str(total), ", ".join(shares), f"{track.uncertain / total:.0%}" if track.uncertain else "",
            ]  # fmt: skip
            last = source
            table.add_row(*map(Text, cells))
        console.print(table)

    def _shown(self) -> list[tuple[tuple[str, int], _Track]]:
        """The longest tracks of each video, in the order of their videos and numbers."""
        shown = []
        for source in dict.fromkeys(source for source, _ in self._tracks):
            of_source = [item for item in self._tracks.items() if item[0][0] == source]
            longest = sorted(of_source, key=lambda item: -item[1].expressions.total())[:_MOST_TRACKS]
            shown += sorted(longest, key=lambda item: item[0][1])
        return shown
