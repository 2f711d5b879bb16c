"""The terminal's table of faces at every width."""

from __future__ import annotations

from typing import Any

import pytest

from mien.cli.predict_table import print_table
from mien.cli.predict_video import TrackLines
from mien.geometry import Box
from mien.labels import FERPLUS
from mien.results import Face, Scores, VideoFrame

CLASSES = ["p_happiness", "p_disgust"]


def row(source: str, expression: str, flags: str = "", *, certain: bool = True) -> dict[str, Any]:
    angles = {"yaw_deg": 1.0, "pitch_deg": -3.0, "roll_deg": 0.0}
    sides = {"left": 1000.0, "top": 1000.0, "right": 1100.0, "bottom": 1100.0}
    chances = {"p_happiness": 0.96, "p_disgust": 0.04}
    base = {
        "source": source,
        "face": 0,
        "expression": expression,
        "flags": flags,
        "certain": certain,
        "error": None,
    }
    return base | angles | sides | chances


ROWS = [
    row("/data/study/holiday/img_0001.jpg", "happiness"),
    row("/data/study/holiday/img_0002.jpg", "happiness", "dark flat", certain=False),
]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_expressions_and_file_names_are_never_cut(width: int, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(ROWS, CLASSES, 0.5)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= width for line in lines)
    shown = "\n".join(lines)
    assert shown.count("happiness 96%") == 2
    assert "_0001.jpg" in shown
    assert "too little contrast" in " ".join(shown.split()) or width == 40


def test_a_common_folder_stands_once_above(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(ROWS, CLASSES, 0.5)
    assert capsys.readouterr().out.startswith("in /data/study/holiday/\nimage")


def test_what_is_piped_has_whole_paths_and_every_column(capsys, monkeypatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(ROWS, CLASSES, 0.5)
    out = capsys.readouterr().out
    assert out.count("/data/study/holiday/") == 2
    assert "yaw pitch roll" in out


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tracks_show_their_expressions_at_every_width(width: int, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    tracks = TrackLines()
    for i in range(4):
        face = Face(Box(0, 0, 9, 9), track=0, expression=Scores(FERPLUS, (i < 2, i > 1, 0, 0, 0, 0, 0, 0)))
        tracks.add(VideoFrame("/data/study/talk.mp4", (face,), frame=i, time_s=i / 5))
    tracks.print()
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "neutral 50%," in text
    assert "happiness 50%" in text
    assert ("frames" in text) == (width == 200)


@pytest.mark.parametrize("width", [60, 200])
def test_videos_without_a_face_and_tracks_beyond_the_most_are_told(width: int, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    tracks, scores = TrackLines(), Scores(FERPLUS, (1, 0, 0, 0, 0, 0, 0, 0))
    tracks.add(VideoFrame("/data/nobody.mp4", frame=0, time_s=0.0))
    for i in range(43):
        faces = tuple(Face(Box(0, 0, 9, 9), track=number, expression=scores) for number in range(i + 1))
        tracks.add(VideoFrame("/data/crowd.mp4", faces, frame=i, time_s=i / 5))
    tracks.print()
    first, *others = capsys.readouterr().out.splitlines()[1:]
    assert "nobody.mp4" in first
    assert "no face detected" in first
    assert len(others) == 41
    assert "and 3 shorter tracks" in others[-1]


def test_faces_of_frames_that_were_not_searched_have_no_lines(capsys) -> None:
    tracks = TrackLines()
    tracks.add(VideoFrame("a.mp4", (Face(Box(0, 0, 9, 9)),), frame=0, time_s=0.0))
    tracks.print()
    assert capsys.readouterr().out == ""
