"""Frames of a live source written to a file by a thread, which never holds up the reading of frames."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mien.errors import MienError, OutputError
from mien.media.encode import VideoWriter
from mien.media.frames import Frame

_WAITING = 60  # frames that may wait for the encoder


class Recording:
    """Writes the frames that it is called with to an .mp4; complete when the context ends.

    Frames that the encoder is too slow for, or of another size than the first, are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.written = path, 0
        self._frames: queue.Queue[Frame | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name=f"writes {path}", daemon=True)

    def __call__(self, frame: Frame) -> None:
        """One more frame."""
        with suppress(queue.Full):
            self._frames.put_nowait(frame)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.put(None)
        self._thread.join()
        if self._error is not None and kind is None:
            if isinstance(self._error, MienError):
                raise self._error
            raise OutputError(f"{self.path}: the recording cannot be written ({self._error})") from self._error

    def _write(self) -> None:
        try:
            first = self._frames.get()
            if first is None:
                return
            height, width = first.image.shape[:2]
            with VideoWriter(self.path, (width, height), start_s=first.time_s) as writer:
                frame: Frame | None = first
                while frame is not None:
                    if frame.image.shape == first.image.shape:
                        writer.write(frame.image, frame.time_s)
                        self.written += 1
                    frame = self._frames.get()
        except BaseException as error:
            self._error = error
            while self._frames.get() is not None:  # until the end, so that nobody waits
                pass
