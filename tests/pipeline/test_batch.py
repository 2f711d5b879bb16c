"""Folders: past bad files, resumed after a kill, no row lost and none twice."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import OutputError
from mien.labels import FERPLUS
from mien.media.images import PictureError
from mien.pipeline import batch
from mien.pipeline.batch import Journal, Settings, expand, predict_to, read_all
from mien.pipeline.table import read_table


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Eight face crops, one broken file, one picture without a face."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(astronaut[40 + i : 200, 150:300]).save(folder / f"{i}.png")
    (folder / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (64, 64)).save(folder / "none.png")
    return folder


def sources(rows: list[dict[str, object]]) -> list[str]:
    return [Path(str(row["source"])).name for row in rows]


def test_a_bad_file_is_a_row_and_the_rest_goes_on(reader: mien.Reader, folder: Path) -> None:
    rows = reader.predict_folder(folder).to_pylist()
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "none.png"]
    assert [row["error"] is None for row in rows] == [True] * 8 + [False, True]
    assert rows[9]["face"] is None
    assert {row["expression"] for row in rows[:8]} == {"happiness"}


def test_crops_have_one_row_each(reader: mien.Reader, folder: Path) -> None:
    rows = reader.predict_folder(folder, crops=True).to_pylist()
    assert [row["face"] for row in rows] == [0] * 8 + [None, 0]
    assert all(row["detection"] is None for row in rows)


def test_the_order_is_that_of_the_sources_whatever_finishes_first(reader: mien.Reader, folder: Path) -> None:
    items = expand([folder])
    for workers in (1, 3):
        done = [source for source, _, _ in read_all(reader, items, Settings(workers=workers))]
        assert done == items


def test_a_source_named_twice_is_read_once(folder: Path) -> None:
    assert len(expand([folder, folder / "0.png", folder])) == 10


class Stop(Exception):
    pass


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_stopped_run_is_completed_by_the_next(reader: mien.Reader, folder: Path, suffix: str) -> None:
    output = folder.parent / f"out{suffix}"
    seen: list[Path] = []

    def stop_after_three(source: Path, *_: object) -> None:
        seen.append(source)
        if len(seen) == 3:
            raise Stop

    with pytest.raises(Stop):
        predict_to(reader, expand([folder]), output, Settings(), stop_after_three)
    assert not output.exists()
    predict_to(reader, expand([folder]), output, Settings(), lambda source, *_: seen.append(source))
    assert len(seen) == len(set(seen)) == 10
    assert read_table(output, FERPLUS) == reader.predict_folder(folder).to_pylist()
    assert not list(output.parent.glob("*.partial"))


def test_a_line_cut_by_the_kill_is_read_again(reader: mien.Reader, folder: Path) -> None:
    output = folder.parent / "out.csv"
    with Journal(output, reader, Settings()) as journal:
        for _, _, rows in list(read_all(reader, expand([folder])[:3], Settings())):
            journal.add(rows)
    partial = output.with_name("out.csv.partial")
    partial.write_bytes(partial.read_bytes()[:-25])
    predict_to(reader, expand([folder]), output, Settings())
    assert read_table(output, FERPLUS) == reader.predict_folder(folder).to_pylist()


def test_new_pictures_are_added_and_mended_ones_read_again(reader: mien.Reader, folder: Path) -> None:
    output = folder.parent / "out.csv"
    predict_to(reader, expand([folder]), output, Settings())
    Image.open(folder / "0.png").save(folder / "bad.png")
    Image.open(folder / "0.png").save(folder / "new.png")
    seen: list[str] = []
    predict_to(reader, expand([folder]), output, Settings(), lambda source, *_: seen.append(source.name))
    assert seen == ["bad.png", "new.png"]
    rows = read_table(output, FERPLUS)
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "new.png", "none.png"]
    assert all(row["error"] is None for row in rows)


def test_other_settings_do_not_mix(reader: mien.Reader, folder: Path) -> None:
    output = folder.parent / "out.csv"
    with Journal(output, reader, Settings()):
        pass
    with pytest.raises(OutputError, match="other weights or settings"):
        predict_to(reader, expand([folder]), output, Settings(crops=True))
    predict_to(reader, expand([folder]), output, Settings(crops=True, fresh=True))
    assert len(read_table(output, FERPLUS)) == 10


def test_a_full_disk_says_so_and_keeps_what_is_done(
    reader: mien.Reader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder.parent / "out.csv"
    add = Journal.add
    count = 0

    def fill(self: Journal, rows: list[dict[str, object]]) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, rows)

    monkeypatch.setattr(batch.Journal, "add", fill)
    with pytest.raises(OutputError, match="the disk is full; free some space and run this again"):
        predict_to(reader, expand([folder]), output, Settings())
    assert len(output.with_name("out.csv.partial").read_text().splitlines()) == 1 + 3
    predict_to(reader, expand([folder]), output, Settings())
    assert len(read_table(output, FERPLUS)) == 10


def test_an_unreadable_subfolder_is_a_row(reader: mien.Reader, tmp_path: Path) -> None:
    error = PictureError(str(tmp_path / "locked"), "the folder may not be opened; check its permissions")
    ((_, faces, rows),) = read_all(reader, [error], Settings())
    assert faces is None
    assert rows[0]["error"] == "the folder may not be opened; check its permissions"


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_or_doubled(folder: Path, astronaut: np.ndarray) -> None:
    for i in range(60):
        Image.fromarray(astronaut[40:200, 150 + i % 7 : 300]).save(folder / f"more{i:02d}.png")
    output = folder.parent / "out.jsonl"
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--output", str(output), "--quiet"]
    for patience in (0.9, 1.1, 1.3, 1.5):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(patience)
        process.send_signal(signal.SIGKILL)
        process.wait()
    code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
    assert code == 1  # bad.png
    found = [json.loads(line)["source"] for line in output.read_text().splitlines()]
    assert len(found) == len(set(found)) == 70
