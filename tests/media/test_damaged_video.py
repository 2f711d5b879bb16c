"""A video that is damaged, truncated or none at all ends with the reason, after the frames before it."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

from mien.errors import VideoError
from mien.media.animation import frames_of
from mien.media.sniff import is_video
from mien.media.video import VideoFile
from tests.media.videos import error_of, number_of, read, write_video


def test_a_truncated_video_ends_with_the_reason(tmp_path: Path) -> None:
    for suffix, options in {"mp4": {"movflags": "faststart"}, "mkv": {}}.items():
        path = write_video(tmp_path / f"a.{suffix}", 90, container=options, options={"g": "10"})
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        frames, error = read(path)
        assert 0 < len(frames) < 80
        assert [number_of(frame.image) for frame in frames[:50]] == list(range(len(frames[:50])))
        assert error is not None
        assert "damaged" in error


def test_a_damaged_video_ends_where_it_is_damaged(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 160, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", list(noise), options={"g": "10", "threads": "1"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40_000] = np.random.default_rng(1).bytes(40_000)  # several frames
    path.write_bytes(data)
    ends = [read(path) for _ in range(3)]
    frames, error = ends[0]
    assert 10 < len(frames) < 50
    assert error is not None
    assert "is damaged at" in error
    assert {(len(each), reason) for each, reason in ends} == {(len(frames), error)}, "the same each time"


def test_damage_right_after_the_first_frame_is_no_recording_from_the_middle(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 120, 160, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", list(noise), options={"threads": "1"})
    with av.open(str(path)) as file:
        second = next(packet for i, packet in enumerate(file.demux(video=0)) if i == 1)
    data = bytearray(path.read_bytes())
    data[second.pos : second.pos + second.size] = b"\x5a" * second.size
    path.write_bytes(data)
    _, error = read(path)
    assert error is not None
    assert "is damaged at 0.0 s" in error


def test_a_video_without_a_complete_frame_is_truncated(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 60)
    path.write_bytes(path.read_bytes()[:900])
    assert "truncated" in error_of(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.mp4", "pipe.gif", "pipe"):
        os.mkfifo(tmp_path / name)
        is_video(str(tmp_path / name))
        with pytest.raises(VideoError, match="pipe"):
            list(frames_of(str(tmp_path / name)))


def test_what_is_no_video_says_what_it_is(tmp_path: Path) -> None:
    cut = write_video(tmp_path / "cut.mp4", 30)
    cut.write_bytes(cut.read_bytes()[:1500])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video" * 100)
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    write_video(tmp_path / "raw.h264", 5)
    with av.open(str(tmp_path / "none.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        file.start_encoding()
    reasons = {
        "cut.mp4": "index (moov) is missing",
        "empty.mp4": "is empty",
        "text.mp4": "no video of a known format",
        "sound.mp4": "audio only",
        "raw.h264": "has no timestamps",
        "none.mp4": "holds no video stream",
        "absent.mp4": "no such file",
    }
    for name, reason in reasons.items():
        assert reason in error_of(tmp_path / name), name
    with pytest.raises(VideoError, match="is a folder"):
        list(VideoFile(tmp_path))


def test_an_absurd_header_changes_no_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 20)
    data = bytearray(path.read_bytes())
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        start = data.index(box) + offset
        data[start : start + 4] = (0x7FFFFFF0).to_bytes(4)
    path.write_bytes(data)
    frames, error = read(path)
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(20)], abs=1e-3)
    assert error is None
    assert VideoFile(path).info().duration_s == pytest.approx(2 / 3)


def test_times_that_go_back_are_told_with_the_remedy(tmp_path: Path) -> None:
    made = write_video(tmp_path / "made.mkv", 20, options={"bf": "0"})
    with av.open(str(made)) as before, av.open(str(tmp_path / "a.mkv"), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        for i, packet in enumerate(list(before.demux(video=0))[:20]):
            packet.stream, packet.dts, packet.pts = stream, 33 * i, 33 * (i + (i % 2 == 0 or -1) + 1)
            after.mux(packet)
    error = error_of(tmp_path / "a.mkv")
    assert "does not say when frames are shown" in error
    assert "ffmpeg -i OLD NEW.mp4" in error
