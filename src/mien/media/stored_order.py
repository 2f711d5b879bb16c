"""When frames are shown that a container has in another order and without saying so: H.264 in AVI and ASF (WMV).

Such a container states when each packet is decoded. Every packet is one frame, so the frames are shown at these
same times: the first that is shown at the first of them, and so on.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CONTAINERS = ("avi", "asf")
_CODECS = ("h264", "hevc")
_MOST_WAITING = 18  # packets; a decoder holds back 16 frames at most


class StoredOrderError(Exception):
    """Packets are not one frame each: nothing says when they are shown. Never leaves `mien.media`."""


class StoredTimes:
    """The times of packets whose frames have not been shown."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._any_shown = False

    def sent(self, packet: Any) -> None:
        """A packet is about to be decoded. What comes before the first key frame is not shown."""
        if packet.is_keyframe and not self._any_shown:
            self._waiting.clear()
        if packet.size and packet.dts is not None:
            heappush(self._waiting, packet.dts)

    def show(self, frame: Any) -> None:
        """Give the next frame that is shown its time."""
        if not 0 < len(self._waiting) <= _MOST_WAITING:
            raise StoredOrderError
        frame.pts, self._any_shown = heappop(self._waiting), True

    def end(self) -> None:
        """Raises where packets were left that no frame came of."""
        if self._waiting:
            raise StoredOrderError


def stored_times(container: InputContainer, stream: VideoStream) -> StoredTimes | None:
    """Of a stream that is stored in another order than it is shown, without times of its own; None for others."""
    names = container.format.name.split(",")
    if stream.codec_context.name in _CODECS and any(name in _CONTAINERS for name in names):
        return StoredTimes()
    return None
