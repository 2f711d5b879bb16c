"""What was predicted in a run, counted for the sentence at its end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from mien.results import ImageResult, VideoFrame
from mien.wording import counted


class RunSummary:
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

    def sentence(self, output: Path | None, *, others: Collection[str] = ()) -> str:
        """The counts in words, zeros left out. `others`: sources of the table that this run was not given."""
        counts = {
            "uncertain": self.uncertain,
            "of them flagged" if self.uncertain else "flagged": self.flagged,
            "without a face": self.empty,
            "could not be read" + " to the end" * (self._broken <= self._videos): self.failed,
            "done before": self.before,
        }
        read = [counted(self.images, "image")] if self.images or not self.frames else []
        if self.frames:
            read.append(f"{counted(self.frames, 'frame')} of {counted(len(self._videos), 'video')}")
        parts = [f"{counted(self.faces, 'face')} in {' and '.join(read)}"]
        parts += [f"{count} {what}" for what, count in counts.items() if count > 0]
        gone = sum(not os.path.exists(source) for source in others)
        kept = f", with {counted(len(others), 'source')} of earlier runs" if others else ""
        kept += f" ({gone:,} not found now)" if gone else ""
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
