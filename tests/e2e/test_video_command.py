"""`mien predict` on videos, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from PIL import Image

import mien
from mien.cli.app import run
from mien.cli.predict_video import seconds
from mien.draw.video import clock
from mien.geometry import box_array, iou
from tests.media.videos import write_video

PHOTO = Path(__file__).parents[2] / "examples/astronaut.jpg"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Image.open(PHOTO) as photo:
        face = np.asarray(photo.convert("RGB").crop((110, 0, 366, 192)))
    return write_video(
        tmp_path_factory.mktemp("video") / "talk.mp4", 12, image_of=lambda i: np.roll(face, i, axis=1)
    )


def test_a_video_is_shown_as_one_line_per_person(
    talk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["predict", str(talk), "--every", "2"]) == 0
    output = capsys.readouterr()
    header, line = output.out.splitlines()
    assert header.split() == "video track from to frames expressions uncertain".split()
    assert line.split()[1:] == ["0", "0:00.0", "0:00.3", "6", "happiness", "100%"]
    assert "6 faces in 6 frames of 1 video" in output.err


def test_rows_are_printed_as_json(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(talk), "--json", "--start", "0:00.3", "--no-smoothing", "--quiet"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frame"] for row in rows] == [9, 10, 11]
    assert [(row["track"], row["smoothed"]) for row in rows] == [(0, None)] * 3


def test_an_annotated_video_with_and_without_a_table(talk: Path, tmp_path: Path) -> None:
    options = ["--fps", "10", "--quiet"]
    assert run(["predict", str(talk), "--annotated", str(tmp_path / "a.mp4"), *options]) == 0
    table = ["--output", str(tmp_path / "t.parquet")]
    assert run(["predict", str(talk), "--annotated", str(tmp_path / "b.mp4"), *table, *options]) == 0
    assert run(["predict", str(talk), "--annotated", str(tmp_path / "c.mp4"), *table, *options]) == 0, (
        "table is done"
    )
    for name in "abc":
        with av.open(str(tmp_path / f"{name}.mp4")) as file:
            assert sum(1 for _ in file.decode(video=0)) == 4


def test_an_anonymised_video_shows_no_face_in_any_frame(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, blurred = tmp_path / "plain.mp4", tmp_path / "blurred.mp4"
    assert run(["predict", str(talk), "--annotated", str(plain), "--draw", "none"]) == 0
    assert "share" not in capsys.readouterr().err
    assert run(["predict", str(talk), "--annotated", str(blurred), "--draw", "none", "--anonymize", "blur"]) == 0
    assert "look through all before you share it" in capsys.readouterr().err
    with av.open(str(plain)) as a, av.open(str(blurred)) as b:
        frames = [[one.to_ndarray(format="rgb24") for one in file.decode(video=0)] for file in (a, b)]
    assert [len(of_file) for of_file in frames] == [12, 12]
    assert frames[0][0].shape == frames[1][0].shape == (192, 256, 3), "no strip"
    for shown, covered in zip(*frames, strict=True):
        (face,) = mien.predict(shown)
        inside = np.s_[round(face.box.top) : round(face.box.bottom), round(face.box.left) : round(face.box.right)]
        assert detail(covered[inside]) < 0.2 * detail(shown[inside])
        # Hair and shoulders about the blur may still look like a head; no face is where the face was.
        assert all(iou_of(face.box, other.box) < 0.5 for other in mien.predict(covered))


def detail(image: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels."""
    return float(np.mean([np.abs(np.diff(image.astype(float), axis=axis)).mean() for axis in (0, 1)]))


def iou_of(one: mien.Box, other: mien.Box) -> float:
    boxes = box_array([one, other])
    return float(iou(boxes[0], boxes[1:])[0])


def test_what_cannot_be_is_said(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(PHOTO), "--annotated", str(tmp_path / "a.mp4")]) == 2
    assert "--annotated is for one video" in capsys.readouterr().err
    options = ["predict", str(talk), "--annotated", str(tmp_path / "a.mp4"), "--draw", "boxes,landmarks"]
    assert run(options) == 2
    assert "videos have no landmarks drawn" in capsys.readouterr().err
    assert run(["predict", str(talk), "--start", "soon"]) == 2
    assert "is no time" in capsys.readouterr().err
    assert run(["predict", str(talk), "--fps", "2", "--every", "2"]) == 2
    talk.with_name("cut.mp4").write_bytes(talk.read_bytes()[:2000])
    assert run(["predict", str(talk.with_name("cut.mp4"))]) == 1
    assert "moov" in capsys.readouterr().err
    assert run(["predict", str(talk.with_name("cut.mp4")), "--annotated", str(tmp_path / "a.mp4")]) == 1
    errors = capsys.readouterr().err
    assert "moov" in errors
    assert "a.mp4" not in errors


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--anonymize blur", "--anonymize: nothing is drawn without --save"),
        ("--draw boxes --explain x", "--draw: nothing is drawn without --save"),
        ("--explain-method attention", "--explain-method: nothing is explained"),
        ("--images-per-part 5 --workers 2", "--workers, --images-per-part: of use with --engine ray only"),
        ("--no-detect --small-faces --threshold 0.4", "--threshold, --small-faces: with --no-detect nothing"),
        ("--engine ray --anonymize blur --json -o x", "--anonymize, --json: --engine ray writes tables only"),
        ("--engine spark", "No engine called 'spark'"),
        ("camera:0 --draw boxes", "--draw, several sources: not for a camera"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    capsys: pytest.CaptureFixture[str], options: str, reason: str
) -> None:
    assert run(["predict", str(PHOTO), *options.split()]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["1:99", "1:60", "1:60:00", "1:05:60.5", "1:2:3:4", "-1", "1e3", "nan", "1:", ":1"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time; give seconds, M:SS or H:MM:SS"):
        seconds(text)


def test_times_are_read_and_written() -> None:
    assert [seconds(text) for text in (None, "90", "1:30", "0:01:30.5", "1:00:00")] == [None, 90, 90, 90.5, 3600]
    assert [seconds(text) for text in ("99", "90:00", "1:59.9", "1:59:59")] == [99, 5400, 119.9, 7199]
    assert [clock(time_s) for time_s in (-2.5, 0, 59.96, 65.24, 3661)] == [
        "-0:02.5", "0:00.0", "1:00.0", "1:05.2", "1:01:01",
    ]  # fmt: skip
