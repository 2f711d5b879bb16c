"""RGB frames to an MP4 that browsers play: H.264 (VP9 where PyAV has no x264), 4:2:0, audio kept, index first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mien.errors import OutputError
from mien.media.marking import MARK
from mien.media.video import load_av, open_video

if TYPE_CHECKING:
    from av.container import OutputContainer

TIME_BASE = Fraction(1, 90_000)
_COPIED = ("aac", "mp3")  # audio that browsers play in an MP4; other audio is encoded again
_ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"},
}


class VideoWriter:
    """Frames with their times to `path`, in one step: until the end they are in a file beside it.

    `size`: width and height of the frames; an odd last column or row is left out. `audio_of`: a video whose audio
    between `start_s` and the last frame is kept; `start_s` becomes 0. `is_output`: it is drawn of another video,
    and no input of a later run (`mien.media.outputs`).
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        fps: float = 30.0,
        audio_of: str | None = None,
        start_s: float = 0.0,
        is_output: bool = False,
    ) -> None:
        self._av = load_av()
        self.path, self._size, self._start_s = path, (size[0] // 2 * 2, size[1] // 2 * 2), start_s
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp.mp4")
        self._file: OutputContainer = self._av.open(str(self._temporary), "w", options={"movflags": "+faststart"})
        if is_output:
            self._file.metadata["comment"] = MARK
        encoder = next((name for name in _ENCODERS if name in self._av.codecs_available), None)
        if encoder is None:
            raise OutputError(f"{path}: this PyAV encodes neither H.264 nor VP9; install av from PyPI")
        rate = Fraction(fps).limit_denominator(1001)
        self._video: Any = self._file.add_stream(encoder, rate=rate, options=_ENCODERS[encoder])
        self._video.width, self._video.height = self._size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = TIME_BASE
        self._video.codec_context.colorspace = self._video.codec_context.color_primaries = 1  # BT.709
        self._video.codec_context.color_trc = self._video.codec_context.color_range = 1
        self._audio = iter(()) if audio_of is None else self._audio_packets(audio_of)
        self._next_audio = next(self._audio, None)
        self._last_pts = -1

    def write(self, image: np.ndarray, time_s: float) -> None:
        """One frame (H, W, 3) uint8 RGB."""
        width, height = self._size
        pixels = np.ascontiguousarray(image[:height, :width])
        frame = self._av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        pts = max(round((time_s - self._start_s) / TIME_BASE), self._last_pts + 1)
        frame.pts, frame.time_base, self._last_pts = pts, TIME_BASE, pts
        self._file.mux(self._video.encode(frame))
        self._write_audio(time_s - self._start_s)

    def _write_audio(self, until_s: float) -> None:
        """The packets up to here, so that neither stream waits for the other."""
        while self._next_audio is not None and self._next_audio[0] <= until_s:
            self._file.mux(self._next_audio[1])
            self._next_audio = next(self._audio, None)

    def _audio_packets(self, source: str) -> Iterator[tuple[float, Any]]:
        """(seconds, packet) of the first audio stream, for this file."""
        with open_video(source) as (container, _):
            if not container.streams.audio:
                return
            stream: Any = container.streams.audio[0]
            begin_s = (container.start_time or 0) / 1e6 + self._start_s
            if stream.codec_context.name in _COPIED:
                target = self._file.add_stream_from_template(stream)
                yield from self._copied(container.demux(stream), target, begin_s)
            else:
                target = self._file.add_stream("aac", rate=stream.rate)
                target.layout = "stereo" if stream.channels > 1 else "mono"
                yield from self._encoded(container.decode(stream), target, begin_s)

    def _copied(self, packets: Any, target: Any, begin_s: float) -> Iterator[tuple[float, Any]]:
        try:
            for packet in packets:
                if packet.dts is None or packet.pts is None:
                    continue
                time_s = float(packet.pts * packet.time_base) - begin_s
                if time_s >= 0:
                    shift = round(begin_s / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, target
                    yield time_s, packet
        except self._av.FFmpegError:  # audio is kept up to its damage, as the frames are
            return

    def _encoded(self, frames: Any, target: Any, begin_s: float) -> Iterator[tuple[float, Any]]:
        time_s = 0.0
        try:
            for frame in frames:
                time_s = (frame.time or 0.0) - begin_s
                if time_s >= 0:
                    frame.pts -= round(begin_s / frame.time_base)
                    yield from ((time_s, packet) for packet in target.encode(frame))
        except self._av.FFmpegError:
            return
        yield from ((time_s, packet) for packet in target.encode(None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._file.mux(self._video.encode(None))
                self._write_audio(float(self._last_pts * TIME_BASE))
            self._audio = iter(())
            self._file.close()
            if kind is None:
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)
