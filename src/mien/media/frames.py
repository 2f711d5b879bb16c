"""The frames of a video, an animation or a live source, and which of them are examined."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Protocol, runtime_checkable

import numpy as np

from mien.errors import OptionError, check_option

MAX_FPS = 1000.0
_ROUNDED_S = 6e-4  # Matroska counts in milliseconds: 1/30 s must not fall below the next 1/30
_MOST_SLACK = 0.2  # of an interval


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its number in the source from 0, its presentation time in seconds, and RGB uint8 (H, W, 3)."""

    index: int
    time_s: float
    image: np.ndarray


@runtime_checkable
class FrameSource(Protocol):
    """Anything that gives frames in the order of their times: a file, an animation, a camera, a list."""

    name: str  # what the table calls it

    def __iter__(self) -> Iterator[Frame]:
        """The frames; raises `VideoError` where no more can be read."""
        ...


def intervals(times: np.ndarray, fps: float) -> np.ndarray:
    """The number of the interval of 1/fps in which each frame is shown, of which the first is examined."""
    return np.floor(times * fps + min(_ROUNDED_S * fps, _MOST_SLACK))


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames are examined. `fps` and `every` exclude each other.

    `fps`: at most so many frames a second, the first of each interval of 1/fps. `every`: every n-th frame.
    `start_s`, `end_s`: seconds as a player shows them; the frame at `end_s` is the first that is left out.
    """

    fps: float | None = None
    every: int = 1
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        check_option("every", self.every, int, "a whole number of frames")
        if self.every < 1:
            raise OptionError(f"every is {self.every}; give 1 for each frame, 2 for every second one, ...")
        check_option("fps", self.fps, Real | None, "frames a second, or None for all")
        if self.fps is not None and not 0 < self.fps <= MAX_FPS:
            raise OptionError(f"fps is {self.fps}; give frames a second, above 0 and up to {MAX_FPS:g}")
        if self.fps is not None and self.every != 1:
            raise OptionError("fps and every both say which frames are examined; give one of them")
        check_option("start_s", self.start_s, Real, "seconds")
        check_option("end_s", self.end_s, Real | None, "seconds, or None for the end")
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise OptionError(f"the start is {self.start_s} s; it must be 0 or later")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise OptionError(f"the end, {self.end_s:g} s, is not after the start, {self.start_s:g} s")

    def selector(self, after: tuple[int, float] | None = None) -> Callable[[int, float], bool]:
        """Whether the frame of this index and time is examined; to be called for the frames in order.

        `after`: index and time of the last frame that an earlier run examined.
        """
        last, slot = (-1, None) if after is None else (after[0], self._slot(after[1]))

        def examined(index: int, time_s: float) -> bool:
            nonlocal slot
            if index <= last or time_s < self.start_s or index % self.every:
                return False
            now = self._slot(time_s)
            if now is not None and slot is not None and now <= slot:
                return False
            slot = now
            return True

        return examined

    def _slot(self, time_s: float) -> int | None:
        return None if self.fps is None else int(intervals(np.array(time_s), self.fps))

    def is_over(self, time_s: float) -> bool:
        """Whether this frame, and with it each later one, lies behind the end."""
        return self.end_s is not None and time_s >= self.end_s

    def expected(self, frames: float, duration_s: float) -> int:
        """About how many of `frames` in `duration_s` seconds are examined."""
        if not (frames > 0 and duration_s > 0):
            return 0
        seconds = max(0.0, min(duration_s, self.end_s or duration_s) - self.start_s)
        rate = frames / duration_s
        return math.ceil(seconds * min(rate / self.every, self.fps or rate))
