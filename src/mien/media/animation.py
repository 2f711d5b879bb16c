"""Animated GIF, WebP and PNG as frames with the times at which a browser shows them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice

from PIL import Image, ImageSequence

from mien.errors import ImageError, VideoError
from mien.media.frames import Frame, Sampling
from mien.media.images import MAX_PIXELS, MIN_SIDE_PX, bytes_of, open_image
from mien.media.pixels import rgb_of
from mien.media.sniff import is_animation
from mien.media.video import VideoFile, VideoInfo
from mien.wording import in_one_line

SHORTEST_MS = 20  # browsers show frames of a stated duration below it for
DEFAULT_MS = 100


class Animation:
    """A `FrameSource`: the frames of an animated image that `sampling` says are examined. As `VideoFile`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        sampling: Sampling | None = None,
        *,
        after: tuple[int, float] | None = None,
    ) -> None:
        self.name = os.fsdecode(path)
        self.sampling, self.after = sampling or Sampling(), after

    def info(self) -> VideoInfo:
        """Raises `VideoError`."""
        with self._opened() as image:
            frames = getattr(image, "n_frames", 1) - _not_animated(image)
            return VideoInfo(image.width, image.height, None, frames)

    def __iter__(self) -> Iterator[Frame]:
        """The frames in the order of their times."""
        examined = self.sampling.selector(self.after)
        time_ms, index = 0.0, 0
        with self._opened() as image:
            try:
                for index, frame in enumerate(islice(ImageSequence.Iterator(image), _not_animated(image), None)):
                    frame.load()
                    time_s = round(time_ms / 1000, 6)
                    if self.sampling.is_over(time_s):
                        return
                    if examined(index, time_s):
                        yield Frame(index, time_s, rgb_of(frame))
                    stated = float(frame.info.get("duration") or 0)
                    time_ms += stated if stated >= SHORTEST_MS else DEFAULT_MS
            except GeneratorExit:
                raise
            except Exception as error:  # Pillow's decoders raise anything on damaged files
                reason = f"is damaged after {time_ms / 1000:.1f} s ({error or type(error).__name__}); save it again"
                raise VideoError(self.name, in_one_line(reason)) from None

    def _opened(self) -> Image.Image:
        try:
            image = open_image(io.BytesIO(bytes_of(self.name, self.name)))
        except ImageError as error:
            raise VideoError(self.name, error.reason) from None
        except Exception as error:
            raise VideoError(self.name, f"is no animation that can be read ({error}); save it again") from None
        if image.width * image.height > MAX_PIXELS:
            raise VideoError(self.name, f"more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller")
        if min(image.size) < MIN_SIDE_PX:
            size = f"{image.width}x{image.height}"
            raise VideoError(self.name, f"only {size} pixels; at least {MIN_SIDE_PX}x{MIN_SIDE_PX} are needed")
        return image


def _not_animated(image: Image.Image) -> int:
    """1 where the first image of a PNG is only for what cannot show animations; 0 otherwise."""
    return int(bool(image.info.get("default_image")))


def frames_of(
    path: str, sampling: Sampling | None = None, *, after: tuple[int, float] | None = None
) -> VideoFile | Animation:
    """The source of a file's frames: an animated image by Pillow, anything else by PyAV."""
    kind = Animation if is_animation(path) else VideoFile
    return kind(path, sampling, after=after)
