"""Videos made for tests: frames that tell their number, in any container, codec, format and timing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mien.errors import VideoError
from mien.media.animation import frames_of
from mien.media.frames import Frame, Sampling

TIME_BASE = Fraction(1, 30000)


def numbered(index: int, *, width: int = 160, height: int = 120) -> np.ndarray:
    """A frame whose brightness tells its number (4 grey values a frame) and whose top left quarter is red."""
    image = np.full((height, width, 3), 20 + 4 * (index % 50), dtype=np.uint8)
    image[: height // 2, : width // 2] = (200, 30, 30)
    return image


def number_of(image: np.ndarray) -> int:
    """The number that `numbered` put in."""
    height, width = image.shape[:2]
    return round((float(image[-height // 4 :, -width // 4 :].mean()) - 20) / 4)


def write_video(
    path: Path,
    frames: int | Sequence[np.ndarray] = 30,
    *,
    times: Sequence[float] | None = None,
    fps: float = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    audio_s: float = 0.0,
    image_of: Callable[[int], np.ndarray] = numbered,
) -> Path:
    """`frames`: so many of `image_of`, or the images. `times`: their seconds; without, index / fps."""
    images = [image_of(index) for index in range(frames)] if isinstance(frames, int) else list(frames)
    base = Fraction(1, round(fps)) if codec == "mpeg4" else TIME_BASE
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=round(fps), options=options or {})
        stream.height, stream.width = images[0].shape[:2] if images else (120, 160)
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = base
        sound = file.add_stream("aac", rate=16000, layout="mono") if audio_s else None
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "rgba" if image.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = round((times[index] if times else index / fps) / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        if sound is not None:
            _write_tone(file, sound, audio_s)
    return path


def _write_tone(file: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, round(seconds * 16000), 1024):
        wave = np.sin(np.arange(start, start + 1024) * 0.17).astype(np.float32)[None] * 0.1
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, start
        file.mux(stream.encode(frame))
    file.mux(stream.encode())


def with_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """The MP4 with another rotation in its track header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def read(path: Path, sampling: Sampling | None = None) -> tuple[list[Frame], str | None]:
    """The frames up to the end or the damage, and what was wrong."""
    frames = []
    try:
        for frame in frames_of(str(path), sampling):
            frames.append(frame)
    except VideoError as error:
        return frames, error.reason
    return frames, None


def error_of(path: Path) -> str:
    """What is wrong with a video."""
    frames, error = read(path)
    assert error is not None
    return error
