"""Single frames of a video or an animated image, by their times, without decoding all of a video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import VideoError
from mien.media.animation import Animation
from mien.media.frames import Frame
from mien.media.sniff import is_animation
from mien.media.stored_order import stored_times
from mien.media.video import Converter, VideoFile, load_av, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SLACK_S = 0.002
_NEAR_S = 3.0  # nearer frames are decoded up to, farther ones sought


def frames_at(name: str | os.PathLike[str], times: Iterable[float]) -> Iterator[tuple[float, np.ndarray]]:
    """(time, RGB uint8 (H, W, 3)) of the frame shown at each of these presentation times, in rising order.

    Times behind the end are left out. Raises `VideoError` where the file cannot be read.
    """
    wanted = sorted(times)
    if is_animation(os.fsdecode(name)):
        # FFmpeg does not read all of them, and gives some other times
        yield from _in_order(Animation(name), wanted)
        return
    with open_video(os.fsdecode(name)) as (container, stream):
        if stored_times(container, stream) is None:
            yield from _sought(os.fsdecode(name), container, stream, wanted)
            return
    yield from _in_order(VideoFile(name), wanted)  # where a seek leads has no time there


def _sought(
    name: str, container: InputContainer, stream: VideoStream, wanted: list[float]
) -> Iterator[tuple[float, np.ndarray]]:
    convert, start_s, at = Converter(name, stream), (container.start_time or 0) / 1e6, -1.0
    for time_s in wanted:
        if at < 0 or not 0 <= time_s - at <= _NEAR_S:
            container.seek(int((max(0.0, time_s - 0.5) + start_s) * 1e6))
        try:
            for frame in container.decode(stream):
                at = (frame.time or 0.0) - start_s
                if at >= time_s - _SLACK_S:
                    yield time_s, convert(frame)
                    break
        except (load_av().FFmpegError, ValueError) as error:
            raise VideoError(name, f"cannot be decoded at {time_s:.1f} s ({error})") from None


def _in_order(frames: Iterable[Frame], wanted: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    left = iter(wanted)
    time_s = next(left, None)
    for frame in frames:
        while time_s is not None and frame.time_s >= time_s - _SLACK_S:
            yield time_s, frame.image
            time_s = next(left, None)
        if time_s is None:
            return
