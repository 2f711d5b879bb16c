"""Single frames of a video or an animated image, by their times, without decoding all of a video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np

from mien.errors import VideoError
from mien.media.animation import Animation
from mien.media.sniff import is_animation
from mien.media.video import Converter, load_av, open_video

_SLACK_S = 0.002
_NEAR_S = 3.0  # nearer frames are decoded up to, farther ones sought


def frames_at(name: str | os.PathLike[str], times: Iterable[float]) -> Iterator[tuple[float, np.ndarray]]:
    """(time, RGB uint8 (H, W, 3)) of the frame shown at each of these presentation times, in rising order.

    Times behind the end are left out. Raises `VideoError` where the file cannot be read.
    """
    wanted = sorted(times)
    if is_animation(os.fsdecode(name)):
        yield from _of_animation(Animation(name), wanted)
        return
    av = load_av()
    with open_video(os.fsdecode(name)) as (container, stream):
        convert, start_s, at = Converter(os.fsdecode(name), stream), (container.start_time or 0) / 1e6, -1.0
        for time_s in wanted:
            if at < 0 or not 0 <= time_s - at <= _NEAR_S:
                container.seek(int((max(0.0, time_s - 0.5) + start_s) * 1e6))
            try:
                for frame in container.decode(stream):
                    at = (frame.time or 0.0) - start_s
                    if at >= time_s - _SLACK_S:
                        yield time_s, convert(frame)
                        break
            except (av.FFmpegError, ValueError) as error:
                raise VideoError(os.fsdecode(name), f"cannot be decoded at {time_s:.1f} s ({error})") from None


def _of_animation(animation: Animation, wanted: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    """Which has no seeking; FFmpeg does not read all of them, and gives some other times."""
    left = iter(wanted)
    time_s = next(left, None)
    for frame in animation:
        while time_s is not None and frame.time_s >= time_s - _SLACK_S:
            yield time_s, frame.image
            time_s = next(left, None)
        if time_s is None:
            return
