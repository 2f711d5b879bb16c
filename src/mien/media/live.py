"""Cameras and network streams as frames, and the newest of them for a reader that is slower."""

from __future__ import annotations

import errno
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from mien.errors import OptionError, VideoError
from mien.media.frames import Frame, FrameSource
from mien.media.video import Converter, load_av, video_stream

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "tcp", "udp", "rtp", "srt")
OPEN_S, SILENT_S = 10.0, 10.0  # until a stream is open, and without a frame, before it is given up
_URL = re.compile(rf"({'|'.join(SCHEMES)})://", re.IGNORECASE)
_NETWORK = "http,https,tcp,tls,rtsp,rtp,udp,rtmp,srt,crypto,httpproxy"  # and no files: a playlist could name some
_LOW_LATENCY = {"flags": "low_delay"}
_WAIT_S = 0.2  # between looks whether to stop


def is_live(name: str) -> bool:
    """Whether this names a camera (`camera:0`) or a stream (`rtsp://...`, `http://...`), not a file."""
    return name.startswith("camera:") or _URL.match(name) is not None


def without_password(name: str) -> str:
    """A stream's address as it may be shown and kept: user and password of it left out."""
    return re.sub(r"(?<=://)[^/@]*@", "", name)


class LiveStream:
    """A `FrameSource`: every frame of a camera or stream as it comes, with seconds from the first.

    Iteration raises `VideoError` where the source cannot be opened, breaks off, or stays silent.
    """

    def __init__(self, source: str) -> None:
        if not is_live(source):
            raise OptionError(f"{source!r} is no camera or stream; give camera:0, or an address such as rtsp://...")
        self._source, self.name = source, without_password(source)

    def __iter__(self) -> Iterator[Frame]:
        av = load_av()
        try:
            container = av.open(**self._arguments(), timeout=(OPEN_S, SILENT_S))
        except (av.FFmpegError, ValueError, OSError) as error:
            raise VideoError(self.name, self._why_closed(error)) from None
        with container:
            stream = video_stream(container, self.name)
            convert, index, first_s, before = Converter(self.name, stream), 0, None, -1.0
            begin = time.monotonic()
            for decoded in self._decoded(container, stream):
                arrived = time.monotonic() - begin
                stated = decoded.time
                if first_s is None:
                    first_s = stated if stated is not None else 0.0
                time_s = arrived if stated is None else stated - first_s
                time_s = time_s if time_s > before else max(arrived, before + 1e-3)  # a clock set back
                yield Frame(index, round(time_s, 6), convert(decoded))
                index, before = index + 1, time_s
            if index == 0:
                raise VideoError(self.name, "ended without a frame; check what it sends")

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Frames; damaged packets, which networks lose and repeat, are skipped."""
        av = load_av()
        last = time.monotonic()
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except (av.InvalidDataError, ValueError):
                    frames = []
                for frame in frames:
                    last = time.monotonic()
                    yield frame
                if time.monotonic() - last > SILENT_S:
                    raise VideoError(
                        self.name, f"gave no frame for {SILENT_S:g} s; check the camera and its network"
                    )
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, VideoError):
                raise
            if error.errno == errno.EIO and not self._source.startswith("camera:"):
                yield from stream.codec_context.decode(None)  # the server has ended the stream
                return
            raise VideoError(self.name, self._why_ended(error)) from None

    def _arguments(self) -> dict[str, Any]:
        """Of `av.open`."""
        if not self._source.startswith("camera:"):
            options = {**_LOW_LATENCY, "protocol_whitelist": _NETWORK}
            if self._source.lower().startswith("rtsp"):
                options["rtsp_transport"] = "tcp"
            return {"file": self._source, "options": options}
        camera = self._source.removeprefix("camera:")
        if sys.platform == "darwin":
            return {
                "file": camera,
                "format": "avfoundation",
                "options": {"framerate": "30", "pixel_format": "nv12"},
            }
        if sys.platform == "win32":
            if camera.isdigit():
                raise VideoError(self.name, "on Windows cameras have names: camera:Integrated Camera")
            return {"file": f"video={camera}", "format": "dshow"}
        device = f"/dev/video{camera}" if camera.isdigit() else camera
        return {"file": device, "format": "v4l2", "options": _LOW_LATENCY}

    def _why_closed(self, error: Exception) -> str:
        camera, number = self._source.startswith("camera:"), getattr(error, "errno", None)
        if isinstance(error, VideoError):
            return error.reason
        if camera and number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return "there is no such camera; connect it, or give another number (Linux: ls /dev/video*)"
        if camera and number in (errno.EACCES, errno.EPERM):
            return "may not be opened by this user; on Linux, add the user to the group video"
        if camera and number == errno.EBUSY:
            return "is used by another program; close that first"
        if number == errno.ECONNREFUSED:
            return "the connection was refused; check that the server runs, and its port"
        if type(error).__name__ in ("HTTPUnauthorizedError", "HTTPForbiddenError"):
            return "needs a user and a password: http://USER:PASSWORD@HOST/..."
        if type(error).__name__ == "HTTPNotFoundError":
            return "there is nothing at this address (404); check its path"
        if type(error).__name__ == "ExitError" or number == errno.ETIMEDOUT:
            return f"did not open within {OPEN_S:g} s; check the address and the network"
        return f"cannot be opened ({getattr(error, 'strerror', None) or error}); check the address"

    def _why_ended(self, error: Exception) -> str:
        if type(error).__name__ == "ExitError":
            return f"gave no frame for {SILENT_S:g} s; check the camera and its network"
        return f"broke off ({getattr(error, 'strerror', None) or error}); check the camera and its connection"


class NewestFrames:
    """A `FrameSource` that never lags behind: it reads `source` in a thread and gives the newest frame each time.

    Frames that came meanwhile are dropped. `on_frame` is called in that thread with every frame. `fps`: at most so
    many frames a second are given; `seconds`: so long. To be used as a context, which ends the thread.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        fps: float | None = None,
        seconds: float | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self.name, self._source = source.name, source
        self._least_s, self._seconds, self._on_frame = 1 / fps if fps else 0.0, seconds, on_frame
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self.received = self.given = 0
        self._thread = threading.Thread(target=self._read, name=f"reads {self.name}", daemon=True)

    @property
    def dropped(self) -> int:
        """Frames that were not given because newer ones had come."""
        return max(0, self.received - self.given - (self._newest is not None))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._thread.join(timeout=2.0)  # one that hangs in the network is a daemon

    def __iter__(self) -> Iterator[Frame]:
        """The newest frame, each at most once; raises what reading raised, after the last frame."""
        last_s = -1e9
        while True:
            with self._changed:
                while self._newest is None and not self._ended:
                    self._changed.wait(_WAIT_S)  # wakes up for Ctrl-C
                frame, self._newest = self._newest, None
            if frame is None:
                if self._error is not None:
                    raise self._error
                return
            if self._seconds is not None and frame.time_s >= self._seconds:
                return
            if frame.time_s - last_s < self._least_s - 1e-3:
                continue
            last_s = frame.time_s
            self.given += 1
            yield frame

    def _read(self) -> None:
        try:
            for frame in self._source:
                if self._stopped:
                    return
                if self._on_frame is not None:
                    self._on_frame(frame)
                with self._changed:
                    self.received += 1
                    self._newest = frame
                    self._changed.notify()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
