"""Episodes: when each expression of each person begins and ends, for event logs and statistics of durations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mien.analysis.faces import read_faces
from mien.analysis.timing import by_source, row_seconds
from mien.analysis.units import person_episodes
from mien.arguments import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A stretch of counted frames in which one person shows one expression.

    Frames that are not counted do not end it unless they last more than a second, nor do they count in `counted_s`.
    """

    source: str
    track: int
    expression: str
    begin_s: float  # presentation times: of its first frame
    end_s: float  # until when its last frame was shown
    counted_s: float
    mean_probability: float  # of the expression, over its frames; of single frames, never smoothed

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a table, with times in milliseconds."""
        return {
            name: round(value, 3 if name.endswith("_s") else 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


@checked
def episodes(table: Any, *, raw: bool = False) -> list[Episode]:
    """The episodes of the videos of a prediction table (as `mien.summarize`), by video, track and time.

    Counted is what summaries count, so that the seconds of the episodes of a track are those of its summary.
    Raises `InputError` for what is no prediction table.
    """
    faces = read_faces(table, raw=raw)
    seconds = row_seconds(faces)
    result = []
    for rows in by_source(faces, faces.timed & ~np.isnan(faces.time_s)):
        video, shown = faces.take(rows), seconds[rows]
        for person, runs in person_episodes(video):
            for first, last in runs:
                at = person[first : last + 1]
                label = int(video.expression[at[0]])
                weights = np.maximum(shown[at], 1e-9)  # a single frame stands for no time
                result.append(
                    Episode(
                        source=str(video.source[0]),
                        track=int(video.track[at[0]]),
                        expression=str(video.labels[label]),
                        begin_s=float(video.time_s[at[0]]),
                        end_s=float(video.time_s[at[-1]] + shown[at[-1]]),
                        counted_s=float(shown[at].sum()),
                        mean_probability=float(np.average(video.probabilities[at, label], weights=weights)),
                    )
                )
    return result
