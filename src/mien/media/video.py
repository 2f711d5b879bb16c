"""Video files as upright RGB frames with their presentation times, decoded by PyAV (the extra `video`)."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mien.errors import MissingPackageError, VideoError
from mien.media.frames import Frame, Sampling
from mien.media.images import MAX_PIXELS, MIN_SIDE_PX
from mien.media.seeking import SeekError, StartPoint, go_to, start_point
from mien.media.stored_order import StoredOrderError, stored_times

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

SEEK_FROM_S = 1.0  # what is examined from the first second on is decoded from the beginning
ENDS_EARLY_S = 0.5  # so much less than its header states is a truncated video
_LOCAL = {"protocol_whitelist": "file"}  # nothing in a file makes us go online
_BT709, _UNSPECIFIED, _HD_FROM = 1, 2, 720  # colour spaces of ITU-T H.273; HD without one is BT.709
_THREADS_FROM = 17  # PyAV: since then it converts with a thread per core, which takes half as long again
_NO_TIMES = "has no timestamps; give it some by its frame rate: ffmpeg -r RATE -i OLD NEW.mp4"
_NO_ORDER = "in a container that does not say when frames are shown"
_MOST_UNTIMED = 300  # frames before the first that has a time
_MOST_SQUEEZED = 8  # sample aspect ratios beyond it are nonsense


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video states. Nothing but progress relies on `duration_s` and `frames`."""

    width: int
    height: int
    duration_s: float | None
    frames: float | None  # about


class VideoFile:
    """A `FrameSource`: the frames of a file that `sampling` says are examined.

    Frames are upright (rotation and flips of the display matrix applied), have square pixels, and are converted to
    8-bit RGB from any pixel format; transparency is laid on white, and of an interlaced frame the first field is
    doubled. `after`: index and time of the last frame that an earlier run has examined; the next ones are given.
    Iteration raises `VideoError`: at once where there is no video, after the last good frame where it is damaged.
    """

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
        """What the header states. Raises `VideoError`."""
        with open_video(self.name) as (container, stream):
            duration = stated_duration(container, stream)
            rate = stream.average_rate or stream.guessed_rate
            frames = stream.frames or (duration * float(rate) if duration and rate else None)
            return VideoInfo(stream.width, stream.height, duration, frames)

    def __iter__(self) -> Iterator[Frame]:
        """The frames in the order of their times."""
        try:
            yield from self._frames_from(self._start_point())
        except SeekError:  # raised before the first frame
            yield from self._frames_from(None)

    def _frames_from(self, point: StartPoint | None) -> Iterator[Frame]:
        examined = self.sampling.selector(self.after)
        with open_video(self.name) as (container, stream):
            stream.codec_context.options = {"err_detect": "explode"}  # damage is an error, not a guess
            convert = Converter(self.name, stream)
            for index, time_s, frame in _decoded(self.name, container, stream, point):
                if self.sampling.is_over(time_s):
                    return
                if examined(index, time_s):
                    yield Frame(index, time_s, convert(frame))

    def _start_point(self) -> StartPoint | None:
        """Where decoding begins; None: at the beginning."""
        first_s = max(self.sampling.start_s, self.after[1] if self.after else 0.0)
        if first_s < SEEK_FROM_S:
            return None
        with open_video(self.name) as (container, stream):
            try:
                return start_point(container, stream, first_s)
            except (load_av().FFmpegError, ValueError):
                return None  # what is wrong is said by decoding


@contextmanager
def open_video(name: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container of a local file and its video stream, ready to decode. Raises `VideoError`."""
    with open_container(name) as container:
        yield container, video_stream(container, name)


def open_container(name: str) -> InputContainer:
    """The container of a local file. Raises `VideoError`."""
    av = load_av()
    _check_file(name)
    try:
        return cast("InputContainer", av.open(os.path.abspath(name), options=_LOCAL))
    except (av.FFmpegError, ValueError, OSError, UnicodeError) as error:
        raise VideoError(name, _why_unreadable(name, error)) from None


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video to decode, with decoding threads. Raises `VideoError` where there is none."""
    av = load_av()
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        what = "holds audio only" if container.streams.audio else "holds no video stream"
        raise VideoError(name, f"{what}; name a file with video")
    stream = next((one for one in streams if one.disposition & av.stream.Disposition.default), streams[0])
    try:
        stream.thread_type = "SLICE"  # threads for frames would make what is decoded of a damaged file a race
        size = stream.width * stream.height
    except AttributeError:  # no decoder
        raise VideoError(name, "is in a format that this PyAV cannot decode; convert it to H.264 (MP4)") from None
    if size > MAX_PIXELS:
        raise VideoError(name, f"has frames of {stream.width}x{stream.height} pixels, {_too_large()}")
    return stream


def stated_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of video by the header; None where it does not state them."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", str(stream.metadata.get("DURATION", "")))
    if tag:  # Matroska
        return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
    return container.duration / 1e6 if container.duration else None


def _decoded(
    name: str, container: InputContainer, stream: VideoStream, point: StartPoint | None = None
) -> Iterator[tuple[int, float, VideoFrame]]:
    """(index, seconds, frame) from a point up to the end or the damage, which raises `VideoError`."""
    start_s = (container.start_time or 0) / 1e6
    end = _End(container, stream)
    index, untimed, before = 0, 0, -math.inf
    if point is not None:
        index = point.index
        go_to(container, stream, point)
    for frame in _frames(name, container, stream, end, point):
        if point is not None and before == -math.inf and frame.pts != point.pts:
            raise SeekError
        if frame.pts is None or frame.time_base is None:
            untimed += 1
            if untimed == index + 1 <= _MOST_UNTIMED:
                index += 1
                continue  # shown before time 0, which Matroska cannot state
            raise VideoError(name, _NO_TIMES)
        time_s = float(frame.pts * Fraction(frame.time_base)) - start_s
        if time_s < before:
            raise VideoError(
                name,
                f"is damaged, or {_NO_ORDER}: at {before:.3f} s its timestamps go back to {time_s:.3f} s; "
                "convert it: ffmpeg -i OLD NEW.mp4",
            )
        if frame.is_corrupt:
            if before == -math.inf and not frame.key_frame:
                continue  # shown with what is missing before the first key frame
            raise VideoError(name, _damaged(time_s))
        yield index, round(time_s, 6), frame
        index, before = index + 1, time_s
    if index == untimed > 0:
        raise VideoError(name, _NO_TIMES)
    if index == 0:
        raise VideoError(name, end.missing(0.0) or "holds no frames; record or export it again")
    if missing := end.missing(before):
        raise VideoError(name, missing)


class _End:
    """Whether a video goes on as long as its header states."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stated = stated_duration(container, stream)
        self._exact = bool(stream.duration or "DURATION" in stream.metadata)  # of the video, not of its audio
        self._start_s = (container.start_time or 0) / 1e6
        self._last_s = 0.0  # end of the last packet of any stream

    def saw(self, packet: Any) -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._start_s
            self._last_s = max(self._last_s, end)

    def missing(self, last_frame_s: float) -> str | None:
        """What is missing after the last frame, or None."""
        if self._stated is None:
            return None
        until = max(last_frame_s, 0.0) if self._exact else max(self._last_s, last_frame_s)
        if self._stated - until <= max(ENDS_EARLY_S, 0.02 * self._stated if until > 10 else 0.0):
            return None
        return (
            f"ends at {until:.1f} s although its header states {self._stated:.1f} s: it is truncated or damaged; "
            "copy or download it again"
        )


def _frames(
    name: str, container: InputContainer, stream: VideoStream, end: _End, point: StartPoint | None
) -> Iterator[VideoFrame]:
    av = load_av()
    first, reached, last_s = None if point is None else point.pts, False, None
    key: Any = None  # the first key frame's packet
    stored = stored_times(container, stream)
    try:
        for packet in container.demux((stream, *container.streams.audio)):
            end.saw(packet)
            if packet.stream is not stream:
                continue
            reached = reached or packet.pts == first
            if reached and first is not None and packet.pts is not None and packet.pts < first:
                continue  # shown before the key frame although it follows it: it needs frames before it
            if stored is not None:
                stored.sent(packet)
            try:
                frames = cast("list[VideoFrame]", packet.decode())
            except (av.FFmpegError, ValueError):
                incomplete = point is not None or _is_before(packet, key)
                if last_s is None and incomplete and not packet.is_keyframe:
                    continue  # begun in the middle: nothing is complete before the first key frame
                raise
            key = packet if key is None and packet.is_keyframe else key
            for frame in frames:
                if stored is not None:
                    stored.show(frame)
                if first is None or (frame.pts is not None and frame.pts >= first):
                    last_s = frame.time or 0.0
                    yield frame
        if stored is not None:
            stored.end()
    except StoredOrderError:
        raise VideoError(name, f"is {_NO_ORDER}; convert it: ffmpeg -i OLD NEW.mp4") from None
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise VideoError(name, f"cannot be read any more ({error.strerror}); check the disk") from None
        start_s = (container.start_time or 0) / 1e6
        raise VideoError(name, _damaged(0.0 if last_s is None else last_s - start_s)) from None


def _is_before(packet: Any, key: Any) -> bool:
    """Whether a packet is shown before the first key frame's, which is None where it has not come."""
    return key is None or (packet.pts is not None and key.pts is not None and packet.pts < key.pts)


def _damaged(time_s: float) -> str:
    return f"is damaged at {max(time_s, 0.0):.1f} s; copy it again, or start after the damage to read the rest"


class Converter:
    """Decoded frames of one stream as upright RGB uint8 (H, W, 3) with square pixels."""

    def __init__(self, name: str, stream: VideoStream) -> None:
        self.name, self._stream = name, stream
        av = load_av()
        self._reformatter = import_module("av.video.reformatter").VideoReformatter()  # one for all frames
        self._one_thread = {"threads": 1} if int(av.__version__.split(".")[0]) >= _THREADS_FROM else {}
        self._rotation: int | None = None  # of the frame before
        self._matrix: tuple[int, int, int, int] | None = None

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Raises `VideoError` for a frame beyond the limits of size."""
        width, height = self._size(frame)
        if width * height > MAX_PIXELS:
            raise VideoError(self.name, f"has frames of {width}x{height} pixels, {_too_large()}")
        if min(width, height) < MIN_SIDE_PX:
            reason = f"has frames of {width}x{height} pixels; at least {MIN_SIDE_PX}x{MIN_SIDE_PX} are needed"
            raise VideoError(self.name, reason)
        alpha = any(component.is_alpha for component in frame.format.components) or frame.format.has_palette
        bt709 = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_FROM and not frame.format.is_rgb
        image = self._reformatter.reformat(
            frame,
            format="rgba" if alpha else "rgb24",
            width=width,
            height=height,
            src_colorspace=_BT709 if bt709 else None,
            **self._one_thread,
        ).to_ndarray()
        image = _on_white(image) if alpha else image
        image = _first_field(image) if frame.interlaced_frame else image
        return _upright(image, self._display_matrix(frame))

    def _display_matrix(self, frame: VideoFrame) -> tuple[int, int, int, int] | None:
        """(a, b, c, d): displayed (x, y) = (a x + c y, b x + d y); read where it changes, as PyAV 18 keeps a frame
        whose side data was read for ever."""
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            data = frame.side_data.get("DISPLAYMATRIX")
            values = None if data is None else np.frombuffer(cast("bytes", data), "=i4")[:5].tolist()
            self._matrix = None if values is None else (values[0], values[1], values[3], values[4])
        return self._matrix

    def _size(self, frame: VideoFrame) -> tuple[int, int]:
        """With square pixels: the shorter side is stretched."""
        ratio = self._stream.sample_aspect_ratio or Fraction(1)
        if ratio <= 0 or not 1 / _MOST_SQUEEZED <= ratio <= _MOST_SQUEEZED:
            return frame.width, frame.height
        if ratio >= 1:
            return round(frame.width * ratio), frame.height
        return frame.width, round(frame.height / ratio)


def _on_white(image: np.ndarray) -> np.ndarray:
    alpha = image[..., 3:].astype(np.uint16)
    mixed = image[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _first_field(image: np.ndarray) -> np.ndarray:
    """The odd lines show another moment: each becomes the mean of its neighbours."""
    image = image.copy()
    even = image[::2].astype(np.uint16)
    below = np.concatenate([even[1:], even[-1:]])
    image[1::2] = ((even + below + 1) // 2)[: len(image[1::2])]
    return image


def _upright(image: np.ndarray, matrix: tuple[int, int, int, int] | None) -> np.ndarray:
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(a) < abs(b):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _too_large() -> str:
    return f"more than {MAX_PIXELS // 1_000_000} megapixels; scale it down (this limit guards memory)"


def _check_file(name: str) -> None:
    """Only local files are opened; raises `VideoError` for others."""
    try:
        status = os.stat(name)
    except FileNotFoundError:
        raise VideoError(name, "no such file; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(name, f"cannot be read ({reason}); check its name and the disk") from None
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(name, "is a folder, a device or a pipe, not a file")
    if not status.st_size:
        raise VideoError(name, "the file is empty (0 bytes); copy or download it again")


def _why_unreadable(name: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "may not be read by this user; check its permissions"
    with open(name, "rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp":
        return "its index (moov) is missing or damaged: the recording or the copy was cut off; copy it again"
    return "is damaged, or no video of a known format; copy it again, or convert it to H.264 (MP4)"


def load_av() -> ModuleType:
    """PyAV. Raises `MissingPackageError`."""
    try:
        return import_module("av")
    except ModuleNotFoundError as error:
        raise MissingPackageError("Reading videos", "av", "video") from error
