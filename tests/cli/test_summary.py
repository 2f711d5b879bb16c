"""What `mien summary` prints at several widths, and the files it writes."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from mien.cli.app import run
from mien.labels import FERPLUS
from mien.pipeline.table import write_table
from tests.analysis.tables import conversation, row, track
from tests.conftest import EXAMPLES


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two people in a video, and two folders of images."""
    images = [
        row(f"{folder}/{i}.jpg", "fear") for folder in ("a", "a rather long name of a folder") for i in range(9)
    ]
    write_table(
        [*conversation(120.0), *images, row("a/x.jpg", None, error="is empty")], FERPLUS, tmp_path / "t.csv"
    )
    return tmp_path / "t.csv"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_summary_fits_the_terminal(
    table: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(["summary", str(table), "--baseline", "auto"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for word in (
        "talk.mp4",
        "2 tracks",
        "resting",
        "2 folders",
        "Counted: certain",
        "In brackets: 95% intervals",
    ):
        assert word in text
    assert ("changes/min" in text) == (width == 200)
    assert "█" in text


def test_piped_text_is_complete_and_without_bars(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert run(["summary", str(table)]) == 0
    text = capsys.readouterr().out
    assert "changes/min" in text
    assert "█" not in text
    assert "\x1b" not in text


def test_the_summary_is_written_as_csv_and_json(table: Path, tmp_path: Path) -> None:
    for name in ("s.csv", "s.json"):
        assert run(["summary", str(table), "-o", str(tmp_path / name)]) == 0
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * len(FERPLUS)  # a video, its two tracks, two folders
    values = json.loads((tmp_path / "s.json").read_text())
    assert [one["track"] for one in values["tracks"]] == [1, 2]
    assert run(["summary", str(table), "-o", str(tmp_path / "s.txt")]) == 2


def test_a_plot_is_written(table: Path, tmp_path: Path) -> None:
    assert run(["plot", str(table), "-o", str(tmp_path / "p.svg"), "--baseline", "auto"]) == 0
    assert "track 2" in (tmp_path / "p.svg").read_text()
    assert run(["plot", str(table), "-o", str(tmp_path / "no/p.svg")]) == 1


@pytest.mark.parametrize("command", ["summary", "report", "plot"])
def test_the_table_itself_is_not_overwritten(table: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    link, before = table.with_name("link.csv"), table.read_bytes()
    link.symlink_to(table)
    assert run([command, str(table), "-o", str(link)]) == 1
    assert "link.csv would be overwritten" in capsys.readouterr().err
    assert table.read_bytes() == before


@pytest.mark.parametrize("width", [60, 200])
def test_what_could_not_be_read_is_counted_at_every_width(
    tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    videos = [one | {"source": f"{i}.mp4"} for i in range(7) for one in track(["neutral"] * 20)]
    broken = [row("0.mp4", None, frame=None, error="is damaged at 2.0 s"), row("a/x.jpg", None, error="is empty")]
    write_table([*videos, row("a/0.jpg"), row("b/0.jpg"), *broken], FERPLUS, tmp_path / "t.csv")
    assert run(["summary", str(tmp_path / "t.csv")]) == 0
    videos_at, folders_at = capsys.readouterr().out.split("images  2 folders")
    assert "errors" in videos_at
    assert "not read" in folders_at


def test_resting_faces_are_printed_for_many_videos_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = [
        one | {"source": f"{i}.mp4"} for i in range(7) for one in track(["neutral"] * 40 + ["happiness"] * 20)
    ]
    write_table(videos, FERPLUS, tmp_path / "t.csv")
    assert run(["summary", str(tmp_path / "t.csv"), "--baseline", "auto"]) == 0
    assert capsys.readouterr().out.count("against the resting face") == 7


def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("mien.media.disk.TemporaryFile", refuse)
    photo = str(EXAMPLES / "astronaut.jpg")
    for command in (
        ["summary", str(table), "--output", str(tmp_path / "new.csv")],
        ["plot", str(table), "--output", str(tmp_path / "new.png")],
        ["report", str(table), "--output", str(tmp_path / "new.html")],
        ["predict", photo, "--save", str(tmp_path / "new")],
        ["predict", photo, "--explain", str(tmp_path / "new")],
    ):
        assert run(command) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "no file can be made in" in printed.err
        assert "Permission denied" in printed.err
    assert run(["summary", str(table), "--output", os.devnull]) == 2  # for its ending alone
