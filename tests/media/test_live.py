from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="streams need PyAV: pip install 'mien[video]'")

from mien.errors import OptionError, VideoError
from mien.media.frames import Frame
from mien.media.live import LiveStream, NewestFrames, is_live, without_password
from mien.media.recording import Recording
from mien.media.video import VideoFile
from tests.media.streams import mjpeg, mpeg_ts, send_rtsp, served

BLACK = np.zeros((48, 64, 3), dtype=np.uint8)


class Device:
    """Frames played as a camera would: at their times, or as fast as they are taken."""

    name = "camera:0"

    def __init__(self, count: int, *, step_s: float = 0.0, error: str = "") -> None:
        self.count, self.step_s, self.error = count, step_s, error

    def __iter__(self) -> Iterator[Frame]:
        for i in range(self.count):
            time.sleep(self.step_s)
            yield Frame(i, i / 30, BLACK)
        if self.error:
            raise VideoError(self.name, self.error)


def test_what_is_live() -> None:
    assert is_live("camera:0")
    assert is_live("RTSP://host/x")
    assert is_live("http://127.0.0.1:80/live")
    assert not is_live("http.mp4")
    assert not is_live("file:///etc/passwd")
    with pytest.raises(OptionError, match="no camera or stream"):
        LiveStream("talk.mp4")


def test_a_password_is_not_shown() -> None:
    assert without_password("rtsp://me:secret@host:554/x?a=b@c") == "rtsp://host:554/x?a=b@c"
    assert LiveStream("rtsp://me:secret@host/x").name == "rtsp://host/x"


def test_a_slow_reader_gets_the_newest_frame_and_the_last_one() -> None:
    taken = []
    with NewestFrames(Device(60, step_s=0.002)) as newest:
        for frame in newest:
            taken.append(frame.index)
            time.sleep(0.02)
    assert taken == sorted(set(taken))
    assert taken[-1] == 59
    assert newest.dropped == 60 - len(taken) > 20


def test_fps_and_seconds_limit_what_is_given() -> None:
    source = Device(60, step_s=0.004)
    with NewestFrames(source, fps=5, seconds=1.0) as newest:
        times = [frame.time_s for frame in newest]
    assert all(later - earlier >= 0.199 for earlier, later in pairwise(times))
    assert times[-1] < 1.0


def test_an_error_comes_after_the_frames_before_it() -> None:
    with NewestFrames(Device(3, step_s=0.02, error="was unplugged")) as newest:
        frames = iter(newest)
        assert next(frames).index >= 0
        with pytest.raises(VideoError, match="was unplugged"):
            list(frames)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with NewestFrames(Device(100_000, step_s=0.001)) as newest:
        next(iter(newest))
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["mpegts", "mjpeg"])
def test_a_stream_over_http_is_read(kind: str) -> None:
    grey = np.full((64, 96, 3), 120, dtype=np.uint8)
    chunks = [mpeg_ts(grey)] if kind == "mpegts" else list(mjpeg(grey))
    header = "video/mp2t" if kind == "mpegts" else "multipart/x-mixed-replace; boundary=frame"
    with served(header, chunks, pause_s=0.02) as address:
        frames = list(LiveStream(address))
    assert len(frames) >= 15
    assert frames[0].image.shape == (64, 96, 3)
    assert abs(int(frames[0].image.mean()) - 120) < 4
    times = [frame.time_s for frame in frames]
    assert times[0] == pytest.approx(0, abs=0.5)
    assert times == sorted(times)


def test_an_rtsp_stream_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"rtsp://127.0.0.1:{free.getsockname()[1]}/live"
    arguments = LiveStream._arguments

    def listening(self: LiveStream) -> dict[str, Any]:  # there is no server: the sender comes to us
        given = arguments(self)
        return given | {"options": given["options"] | {"rtsp_flags": "listen", "listen_timeout": "9"}}

    monkeypatch.setattr(LiveStream, "_arguments", listening)
    grey = np.full((64, 96, 3), 120, dtype=np.uint8)
    # in a process of its own: PyAV writes without letting other threads run
    sender = multiprocessing.get_context("spawn").Process(target=send_rtsp, args=(address, grey), daemon=True)
    sender.start()
    frames = list(LiveStream(address))
    sender.join()
    assert len(frames) == 20
    assert abs(int(frames[0].image.mean()) - 120) < 4
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)


def test_what_cannot_be_opened_says_why() -> None:
    with served("video/mp2t", [b""]) as address:
        with pytest.raises(VideoError, match="nothing at this address"):
            list(LiveStream(address.replace("live", "missing")))
        with pytest.raises(VideoError, match="cannot be opened"):
            list(LiveStream(address))
    with pytest.raises(VideoError, match="refused"):
        list(LiveStream(address))
    with pytest.raises(VideoError, match="no such camera"):
        list(LiveStream("camera:99"))


def test_a_recording_holds_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "r.mp4"
    with Recording(path) as recording, NewestFrames(Device(30, step_s=0.005), on_frame=recording) as newest:
        for _ in newest:
            time.sleep(0.05)
    assert recording.written == 30
    assert [round(30 * frame.time_s) for frame in VideoFile(path)] == list(range(30))


def test_nothing_to_record_leaves_no_file(tmp_path: Path) -> None:
    with Recording(tmp_path / "r.mp4"):
        pass
    assert not list(tmp_path.iterdir())
