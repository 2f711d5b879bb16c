from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

pytest.importorskip("av", reason="streams need PyAV: pip install 'mien[video]'")

import mien
from mien.cli.app import run
from mien.cli.camera import run_live
from mien.cli.live_view import open_view, terminal_view
from mien.errors import OptionError, OutputError, VideoError
from mien.media.frames import Frame
from mien.media.video import VideoFile
from mien.results import VideoFrame
from tests.media.streams import mpeg_ts, served
from tests.waiting import PATIENCE_S, eventually


class Device:
    """A person in front of a camera that may be unplugged."""

    name = "camera:0"

    def __init__(self, image: np.ndarray, count: int, *, unplugged: bool = False) -> None:
        self.image, self.count, self.unplugged = image, count, unplugged

    def __iter__(self) -> Iterator[Frame]:
        for i in range(self.count):
            yield Frame(i, i / 10, self.image)
            time.sleep(0.1)
        if self.unplugged:
            raise VideoError(self.name, "broke off (No such device); check the camera and its connection")


def test_a_file_played_as_a_camera_gives_a_table_and_a_recording(
    tmp_path: Path, recognizer: mien.Recognizer, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    table, clip = tmp_path / "t.parquet", tmp_path / "c.mp4"
    assert run_live(recognizer, Device(astronaut, 8), output=table, record=clip, view="none") == 0
    rows = pq.read_table(table).to_pylist()
    assert {row["source"] for row in rows} == {"camera:0"}
    assert {row["track"] for row in rows} == {rows[0]["track"]}
    assert all(row["smoothed"] == "happiness" for row in rows)
    assert len(list(VideoFile(clip))) == 8
    error = capsys.readouterr().err
    assert f"{len(rows)} frame" in error
    assert f"recording: {clip}; table: {table}" in error
    assert f"mien summary {table}" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.mp4", "t.parquet"]


def test_a_camera_that_is_unplugged_keeps_its_table(
    tmp_path: Path, recognizer: mien.Recognizer, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    assert run_live(recognizer, Device(astronaut, 3, unplugged=True), output=table, view="none") == 1
    assert "camera:0: broke off" in capsys.readouterr().err
    lines = table.read_text().splitlines()
    assert "happiness" in lines[1]
    assert "No such device" in lines[-1]


def test_a_refused_stream_is_an_error_and_leaves_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served("video/mp2t", []) as address:
        pass
    assert run(["camera", address, "-o", str(tmp_path / "t.csv"), "--view", "none"]) == 1
    error = capsys.readouterr().err
    assert "the connection was refused" in error
    assert "table:" not in error
    assert not list(tmp_path.iterdir())


def test_rows_go_to_stdout_as_json(
    recognizer: mien.Recognizer, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    run_live(recognizer, Device(astronaut, 2), as_json=True, view="none", quiet=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["expression"] == "happiness"


def test_ctrl_c_ends_a_stream_with_the_table_complete(tmp_path: Path, astronaut: np.ndarray) -> None:
    table = tmp_path / "t.jsonl"
    with served("video/mp2t", [mpeg_ts(astronaut[:320, :320], 40)], pause_s=0.5, forever=True) as address:
        command = [sys.executable, "-m", "mien", "camera", address, "-o", str(table), "--view", "none"]
        hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ, preexec_fn=hear)
        unfinished = tmp_path / "t.jsonl.partial"
        eventually(lambda: unfinished.exists() and unfinished.stat().st_size > 2000)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0, error
    assert "Traceback" not in error
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert {row["source"] for row in rows} == {address}
    assert not unfinished.exists()
    assert mien.summarize(table).tracks


def test_what_is_there_is_not_overwritten(
    tmp_path: Path, recognizer: mien.Recognizer, astronaut: np.ndarray
) -> None:
    for name, option in {"t.csv": "output", "t.csv.partial": "output", "r.mp4": "record"}.items():
        (tmp_path / name).write_text("mine")
        path = tmp_path / name.removesuffix(".partial")
        with pytest.raises(OutputError, match="there already|was killed"):
            run_live(recognizer, Device(astronaut, 1), **{option: path}, view="none")  # type: ignore[arg-type]
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    with pytest.raises(OptionError, match=r"\.mp4"):
        run_live(recognizer, Device(astronaut, 1), record=tmp_path / "r.avi", view="none")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_terminal_shows_bars_for_each_face(
    recognizer: mien.Recognizer, astronaut: np.ndarray, width: int
) -> None:
    face = recognizer.predict(astronaut)[0]
    frame = VideoFrame("camera:0", (face, face), frame=0, time_s=1.0)
    text = io.StringIO()
    Console(file=text, width=width).print(terminal_view(frame, "camera:0", "1.0 s, 9.8 frames/s", width=width))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert sum("happiness" in line for line in lines) == (4 if width == 60 else 2)
    assert "█████" in text.getvalue()


def test_a_view_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(OptionError, match="window, terminal, none"), open_view("hologram", "x"):
        pass
    if sys.platform == "linux":
        with pytest.raises(OptionError, match="no window can be opened"), open_view("window", "x"):
            pass


def test_predict_takes_a_stream_too(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.parquet"
    with served("video/mp2t", [mpeg_ts(astronaut[:320, :320], 8)]) as address:
        assert run(["predict", address, "-o", str(table)]) == 0
    assert pq.read_table(table).num_rows > 0
    assert run(["predict", "camera:0", "photo.jpg"]) == 2
    assert run(["predict", "camera:0", "--save", str(tmp_path)]) == 2
    assert "alone" in capsys.readouterr().err
