"""Videos give upright frames with their own times, whatever they hold, and end with the reason where they break."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import OptionError
from mien.media import video
from mien.media.frames import Sampling
from mien.media.seeking import StartPoint, start_point
from mien.media.video import VideoFile, open_video
from tests.media.videos import number_of, numbered, read, with_display_matrix, write_video


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov"])
def test_every_frame_comes_once_with_its_time(tmp_path: Path, suffix: str) -> None:
    frames, error = read(write_video(tmp_path / f"a.{suffix}", 20))
    assert error is None
    assert [frame.index for frame in frames] == [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(20)], abs=1e-3)
    assert frames[0].image.shape == (120, 160, 3)
    assert frames[0].image.dtype == np.uint8


SEEKING = {
    "h264 with open groups": ("mp4", {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1:b-pyramid=2"}}),
    "matroska": ("mkv", {"options": {"g": "9", "bf": "2"}}),
    "vp9": ("webm", {"codec": "libvpx-vp9", "options": {"g": "10", "deadline": "realtime", "cpu-used": "8"}}),
    "one key frame": ("mp4", {"options": {"g": "1000"}}),
    "mpeg-ts": ("ts", {"options": {"g": "10"}}),
}


@pytest.mark.parametrize("kind", SEEKING)
def test_a_start_gives_the_frames_that_decoding_everything_gives(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of variable frame rate, with audio: the same numbers, times and pixels."""
    suffix, options = SEEKING[kind]
    times = [i / 30 + 0.004 * (i % 3) + (0.5 if i >= 25 else 0.0) for i in range(48)]
    path = write_video(
        tmp_path / f"a.{suffix}", 48, times=times, audio_s=1.5 if suffix == "mp4" else 0.0, **options
    )
    everything, _ = read(path)
    monkeypatch.setattr(video, "SEEK_FROM_S", 0.0)
    for start_s in (0.0, 0.2, 0.405, 0.9, 1.4, 1.55, 5.0):
        frames, error = read(path, Sampling(start_s=start_s))
        wanted = [frame for frame in everything if frame.time_s >= start_s]
        assert error is None
        assert [(frame.index, frame.time_s) for frame in frames] == [(f.index, f.time_s) for f in wanted]
        assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, wanted, strict=True))
    sampled, _ = read(path, Sampling(start_s=0.9, every=4))
    assert [frame.index for frame in sampled] == [
        f.index for f in everything if f.time_s >= 0.9 and f.index % 4 == 0
    ]
    rest = list(VideoFile(path, Sampling(fps=10), after=(everything[30].index, everything[30].time_s)))
    whole = [frame.index for frame in VideoFile(path, Sampling(fps=10)) if frame.index > 30]
    assert [frame.index for frame in rest] == whole


def test_a_late_start_decodes_from_the_key_frame_before_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 90, options={"g": "10"})
    with open_video(str(path)) as (container, stream):
        assert start_point(container, stream, 2.0) == StartPoint(round(2.0 / stream.time_base), 60)
    with open_video(str(path)) as (container, stream):
        assert start_point(container, stream, 0.1) is None


def test_a_start_after_the_damage_reads_the_rest(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 90, options={"g": "10"}, image_of=_noisy)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    third = (len(data) - begin) // 3
    data[begin + third // 2 : begin + third] = bytes(third - third // 2)
    path.write_bytes(data)
    frames, error = read(path)
    assert error is not None
    assert len(frames) < 45
    rest, error = read(path, Sampling(start_s=2.0))
    assert error is None
    assert [frame.index for frame in rest] == list(range(60, 90))


def _noisy(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def test_times_are_those_of_the_file_and_not_of_a_frame_rate(tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.066, 0.5, 0.51, 1.7, 1.8]
    frames, _ = read(write_video(tmp_path / "a.mp4", 7, times=times))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize(
    ("matrix", "red"),
    [
        ((1, 0, 0, 1), (0, 0)),
        ((0, 1, -1, 0), (0, 1)),  # a phone held upright: turned clockwise for display
        ((-1, 0, 0, -1), (1, 1)),
        ((0, -1, 1, 0), (1, 0)),
        ((-1, 0, 0, 1), (0, 1)),  # flipped
    ],
)
def test_frames_are_upright(tmp_path: Path, matrix: tuple[int, int, int, int], red: tuple[int, int]) -> None:
    (frame, *_), _ = read(with_display_matrix(write_video(tmp_path / "a.mp4", 2), *matrix))
    height, width = frame.image.shape[:2]
    assert (width, height) == ((120, 160) if matrix[0] == 0 else (160, 120))
    row, column = (side * length // 2 + length // 4 for side, length in zip(red, (height, width), strict=True))
    assert frame.image[row, column] == pytest.approx((200, 30, 30), abs=12)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("libx264", "yuv444p", "mkv"),
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "gray", "mp4"),
        ("ffv1", "yuv422p16le", "mkv"),
        ("qtrle", "argb", "mov"),
        ("png", "rgba", "mov"),
        ("mpeg4", "yuv420p", "avi"),
        ("libvpx-vp9", "yuv420p", "webm"),
    ],
)
def test_any_pixel_format_becomes_rgb(tmp_path: Path, codec: str, pix_fmt: str, suffix: str) -> None:
    frames, error = read(write_video(tmp_path / f"a.{suffix}", 3, codec=codec, pix_fmt=pix_fmt))
    assert error is None
    assert len(frames) == 3
    red = (76, 76, 76) if pix_fmt == "gray" else (200, 30, 30)
    assert frames[0].image[30, 40] == pytest.approx(red, abs=14)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    clear = np.zeros((64, 64, 4), dtype=np.uint8)
    frames, _ = read(write_video(tmp_path / "a.mov", [clear], codec="qtrle", pix_fmt="argb"))
    assert (frames[0].image == 255).all()


def test_of_an_interlaced_frame_one_field_is_shown(tmp_path: Path) -> None:
    comb = np.zeros((128, 128, 3), dtype=np.uint8)
    comb[1::2] = 255
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1", "crf": "1"}
    frames, _ = read(write_video(tmp_path / "a.mp4", [comb] * 3, options=options))
    assert frames[0].image.max() < 40


def test_pixels_are_square(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 144, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(numbered(0, width=144), "rgb24")
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    frames, _ = read(path)
    assert frames[0].image.shape == (120, 192, 3)


def test_sampling_by_rate_step_and_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 45)
    indices = {
        Sampling(): list(range(45)),
        Sampling(every=20): [0, 20, 40],
        Sampling(fps=5): [0, 6, 12, 18, 24, 30, 36, 42],
        Sampling(fps=60): list(range(45)),
        Sampling(start_s=0.5, end_s=0.6): [15, 16, 17],
        Sampling(fps=10, start_s=1): [30, 33, 36, 39, 42],
    }
    for sampling, expected in indices.items():
        assert [frame.index for frame in read(path, sampling)[0]] == expected, sampling
        for done in (1, len(expected) - 1):
            first = list(VideoFile(path, sampling))[done - 1]
            rest = VideoFile(path, sampling, after=(first.index, first.time_s))
            assert [frame.index for frame in rest] == expected[done:], sampling
    assert Sampling(fps=5, start_s=0.5).expected(45, 1.5) == 5


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_frames_whose_times_are_in_milliseconds_are_all_examined_at_their_own_rate(
    tmp_path: Path, fps: int
) -> None:
    path = write_video(tmp_path / "a.mkv", 61, fps=fps)
    assert len(read(path, Sampling(fps=fps))[0]) == 61
    assert [frame.index for frame in read(path, Sampling(fps=fps / 2))[0]] == list(range(0, 61, 2))


@pytest.mark.parametrize(
    "values", [{"fps": 0}, {"fps": 2e6}, {"every": 0}, {"fps": 5, "every": 2}, {"start_s": -1}, {"end_s": 0.0}]
)
def test_sampling_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        Sampling(**values)


def test_the_header_is_read_for_progress_only(tmp_path: Path) -> None:
    info = VideoFile(write_video(tmp_path / "a.mp4", 30, audio_s=0.9)).info()
    assert (info.width, info.height) == (160, 120)
    assert info.frames == 30
    assert info.duration_s == pytest.approx(1.0, abs=0.01)


def test_frames_may_change_their_size(tmp_path: Path) -> None:
    small, large = tmp_path / "small.ts", tmp_path / "large.ts"
    write_video(small, 5)
    write_video(
        large, 5, times=[1 + i / 30 for i in range(5)], image_of=lambda i: numbered(i, width=320, height=240)
    )
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames, _ = read(both)
    assert {frame.image.shape for frame in frames} == {(120, 160, 3), (240, 320, 3)}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    def megabytes() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    large = partial(numbered, width=640, height=480)
    path = write_video(tmp_path / "a.mp4", 300, image_of=large, options={"preset": "ultrafast"})
    sizes = [megabytes() for _ in VideoFile(path)]
    assert sizes[-1] - sizes[50] < 50, "each frame has 0.46 MB as the decoder holds it"


def test_matroska_frames_before_time_zero_are_counted_and_not_examined(tmp_path: Path) -> None:
    """Matroska states no times below zero: the packets of the first three frames have none."""
    made = write_video(tmp_path / "made.mkv", 20, options={"bf": "0"})
    path = tmp_path / "early.mkv"
    with av.open(str(made)) as old, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.pts is not None:
                packet.pts = packet.dts = packet.pts - 100
                packet.stream = stream
                new.mux(packet)
    with av.open(str(path)) as file:
        assert [packet.pts is None for packet in file.demux(video=0)][:5] == [True] * 3 + [False] * 2
    frames, error = read(path)
    assert error is None
    assert [frame.index for frame in frames] == [number_of(frame.image) for frame in frames] == list(range(3, 20))
    assert frames[0].time_s == pytest.approx(0.0, abs=1e-3)
    assert [frame.index for frame in read(path, Sampling(every=6))[0]] == [6, 12, 18]
