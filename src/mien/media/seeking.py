"""Going to a time in a video with the frame numbers that decoding everything would give.

Packets are counted, which is much cheaper than decoding them, up to the last key frame before the time; decoding
starts there. Only where one packet is one frame and every packet has its own time: elsewhere everything is decoded.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CODECS = ("h264", "hevc", "vp9", "av1", "mjpeg", "prores")
_CONTAINERS = ("mov,mp4", "matroska,webm")


class SeekError(Exception):
    """The container went elsewhere: everything has to be decoded. Never leaves `mien.media`."""


@dataclass(frozen=True)
class StartPoint:
    """A key frame: its presentation time stamp, and the number of the frame."""

    pts: int
    index: int


def start_point(container: InputContainer, stream: VideoStream, time_s: float) -> StartPoint | None:
    """The last key frame at or before `time_s`, as a player shows it; None: decode from the beginning.

    Reads the packets of a container that was just opened.
    """
    if not container.format.name.startswith(_CONTAINERS) or stream.codec_context.name not in _CODECS:
        return None
    if stream.time_base is None:
        return None
    target = int((time_s + (container.start_time or 0) / 1e6) / stream.time_base)
    times, keys = array("q"), array("q")
    for packet in container.demux(stream):
        if packet.size == 0:
            break  # the end
        if packet.pts is None or packet.dts is None or packet.is_discard or packet.is_corrupt:
            return None
        if not times and not packet.is_keyframe:
            return None
        if packet.dts > target:
            break  # no later packet is shown before the target
        times.append(packet.pts)
        if packet.is_keyframe and packet.pts <= target:
            keys.append(packet.pts)
    ordered = sorted(times)
    if not keys or any(a == b for a, b in pairwise(ordered)):
        return None
    point = StartPoint(max(keys), bisect_left(ordered, max(keys)))
    return point if point.index else None


def go_to(container: InputContainer, stream: VideoStream, point: StartPoint) -> None:
    """The next packet of the stream is that of the point, or one before it."""
    container.seek(point.pts, stream=stream, backward=True, any_frame=False)
