"""Animated GIF, WebP and PNG as frames with the times at which a browser shows them; which files are videos."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice

from PIL import Image, ImageSequence

from mien.errors import ImageError, VideoError
from mien.media.frames import Frame, Sampling
from mien.media.images import IMAGE_SUFFIXES, MAX_PIXELS, MIN_SIDE_PX, VIDEO_SUFFIXES, bytes_of, open_image, rgb_of
from mien.media.video import VideoFile, VideoInfo

SHORTEST_MS = 20  # browsers show frames of a stated duration below it for
DEFAULT_MS = 100
_STILL_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")  # of ISO files
_TS_PACKET = 188  # bytes
_HEAD = 64 * 1024  # bytes in which a PNG states that it is animated


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
            return VideoInfo(image.width, image.height, None, frames, False)

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
                raise VideoError(self.name, " ".join(reason.split())) from None

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


def is_video(path: str) -> bool:
    """Whether a file holds frames over time: by its ending, and of images that can be animated by their header."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    return is_animation(path) if suffix in (".gif", ".webp", ".png", ".apng") else _holds_video(path, suffix)


def is_animation(path: str) -> bool:
    """Whether a GIF, WebP or PNG has more than one frame, by its header; False for what cannot be read."""
    try:
        head = _head(path)
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return b"acTL" in head.partition(b"IDAT")[0]
        if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
            return bool(head[20] & 0x02)
        if head[:3] == b"GIF":
            with Image.open(path, formats=("GIF",)) as image:
                return bool(getattr(image, "is_animated", False))
    except Exception:  # what is wrong with it is said when it is read
        return False
    return False


def frames_of(
    path: str, sampling: Sampling | None = None, *, after: tuple[int, float] | None = None
) -> VideoFile | Animation:
    """The source of a file's frames: an animated image by Pillow, anything else by PyAV."""
    kind = Animation if is_animation(path) else VideoFile
    return kind(path, sampling, after=after)


def _holds_video(path: str, suffix: str) -> bool:
    """A file without a known ending, by its first bytes."""
    if suffix in IMAGE_SUFFIXES:
        return False
    try:
        head = _head(path)
    except (OSError, ValueError):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in _STILL_BRANDS
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    stream = head[: 3 * _TS_PACKET : _TS_PACKET] == b"GGG"  # MPEG-TS; .ts is also the ending of TypeScript
    return avi or stream or head[:4] in (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba")  # Matroska, Flash, MPEG


def _head(path: str) -> bytes:
    """The first bytes of a file; none of a pipe or a device, which could wait for ever."""
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read(_HEAD)
