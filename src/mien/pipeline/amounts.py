"""How much of a run is done: an image counts 1, a video as many as its examined frames, estimated before."""

from __future__ import annotations

from collections.abc import Mapping

from mien.errors import ImageError, MienError
from mien.media.animation import frames_of
from mien.media.frames import Sampling
from mien.media.sniff import is_video
from mien.pipeline.journal import Journal
from mien.results import ImageResult


class Amounts:
    """`items` by their names in the table. `journal`: what earlier runs have done counts as done."""

    def __init__(
        self, items: Mapping[str, str | ImageError], sampling: Sampling, journal: Journal | None = None
    ) -> None:
        self._expected = {name: _expected(item, sampling) for name, item in items.items()}
        self._of_source: dict[str, int] = {}
        self.total, self.done = sum(self._expected.values()), 0
        if journal is not None:
            self.done = sum(self._expected[name] for name in items if name in journal.sources)
            self._of_source = {name: state["results"] for name, state in journal.checkpoints.items()}
            self.done += sum(self._of_source.values())

    def add(self, result: ImageResult, *, last: bool) -> None:
        """One more result. `last`: of its source, whose number of results is known now."""
        self.done += 1
        count = self._of_source[result.source] = self._of_source.get(result.source, 0) + 1
        if last:
            del self._of_source[result.source]
            self.total += count - self._expected.get(result.source, 1)


def _expected(item: str | ImageError, sampling: Sampling) -> int:
    if isinstance(item, ImageError) or not is_video(item):
        return 1
    try:
        info = frames_of(item).info()
    except MienError:
        return 1
    if info.frames and not info.duration_s:
        return max(1, round(info.frames / sampling.every))
    return max(1, sampling.expected(info.frames or 0, info.duration_s or 0))
