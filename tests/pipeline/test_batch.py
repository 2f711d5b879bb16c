"""Folders: past bad files, resumed after a kill, no row lost and none twice."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import OutputError
from mien.labels import FERPLUS
from mien.pipeline import batch
from mien.pipeline.batch import Batch, Journal, Settings, predict_to, read_all
from mien.pipeline.table import read_table


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Eight face crops, one broken file, one image without a face."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(astronaut[40 + i : 200, 150:300]).save(folder / f"{i}.png")
    (folder / "bad.png").write_bytes(b"no image")
    Image.new("RGB", (64, 64)).save(folder / "none.png")
    return folder


def batch_of(folder: Path) -> Batch:
    return Batch.of([folder], Settings())


def sources(rows: list[dict[str, object]]) -> list[str]:
    return [Path(str(row["source"])).name for row in rows]


def test_a_bad_file_is_a_row_and_the_rest_goes_on(recognizer: mien.Recognizer, folder: Path) -> None:
    rows = recognizer.predict_folder(folder).to_pylist()
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "none.png"]
    assert [row["error"] is None for row in rows] == [True] * 8 + [False, True]
    assert rows[9]["face"] is None
    assert {row["expression"] for row in rows[:8]} == {"happiness"}


def test_crops_have_one_row_each(recognizer: mien.Recognizer, folder: Path) -> None:
    rows = recognizer.predict_folder(folder, crops=True).to_pylist()
    assert [row["face"] for row in rows] == [0] * 8 + [None, 0]
    assert all(row["detection"] is None for row in rows)


def test_the_order_is_that_of_the_sources_whatever_finishes_first(
    recognizer: mien.Recognizer, folder: Path
) -> None:
    items = Batch.of([folder], Settings()).items
    for workers in (1, 3):
        done = [rows[0]["source"] for _, rows in read_all(recognizer, items, Settings(workers=workers))]
        assert done == list(items)


def test_a_source_named_twice_is_read_once(folder: Path) -> None:
    assert len(Batch.of([folder, folder / "0.png", folder], Settings()).items) == 10


class StopError(Exception):
    pass


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_stopped_run_is_completed_by_the_next(recognizer: mien.Recognizer, folder: Path, suffix: str) -> None:
    output = folder.parent / f"out{suffix}"
    seen: list[object] = []

    def stop_after_three(_: object, rows: list[dict[str, object]]) -> None:
        seen.append(rows[0]["source"])
        if len(seen) == 3:
            raise StopError

    with pytest.raises(StopError):
        predict_to(recognizer, batch_of(folder), output, Settings(), stop_after_three)
    assert not output.exists()
    predict_to(recognizer, batch_of(folder), output, Settings(), lambda _, rows: seen.append(rows[0]["source"]))
    assert len(seen) == len(set(seen)) == 10
    assert read_table(output, FERPLUS) == recognizer.predict_folder(folder).to_pylist()
    assert not list(output.parent.glob("*.partial"))


def test_a_line_cut_by_the_kill_is_read_again(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    journal = Journal(output, recognizer, Settings())
    journal.open()
    for _, rows in list(read_all(recognizer, batch_of(folder).items[:3], Settings())):
        journal.add(rows)
    journal.close()
    partial = output.with_name("out.csv.partial")
    partial.write_bytes(partial.read_bytes()[:-25])
    predict_to(recognizer, batch_of(folder), output, Settings())
    assert read_table(output, FERPLUS) == recognizer.predict_folder(folder).to_pylist()


def test_new_images_are_added_and_mended_ones_read_again(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    predict_to(recognizer, batch_of(folder), output, Settings())
    Image.open(folder / "0.png").save(folder / "bad.png")
    Image.open(folder / "0.png").save(folder / "new.png")
    seen: list[str] = []
    predict_to(
        recognizer, batch_of(folder), output, Settings(), lambda _, rows: seen.append(Path(rows[0]["source"]).name)
    )
    assert seen == ["bad.png", "new.png"]
    rows = read_table(output, FERPLUS)
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "new.png", "none.png"]
    assert all(row["error"] is None for row in rows)


def test_other_settings_do_not_mix(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    journal = Journal(output, recognizer, Settings())
    journal.open()
    journal.close()
    with pytest.raises(OutputError, match="other weights or settings"):
        predict_to(recognizer, batch_of(folder), output, Settings(crops=True))
    predict_to(recognizer, batch_of(folder), output, Settings(crops=True, overwrite=True))
    assert len(read_table(output, FERPLUS)) == 10


def test_a_full_disk_says_so_and_keeps_what_is_done(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
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
        predict_to(recognizer, batch_of(folder), output, Settings())
    assert len(output.with_name("out.csv.partial").read_text().splitlines()) == 1 + 3
    predict_to(recognizer, batch_of(folder), output, Settings())
    assert len(read_table(output, FERPLUS)) == 10


def test_an_unreadable_subfolder_is_a_row(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk(top: str, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        onerror(PermissionError(errno.EACCES, "Permission denied", f"{top}/locked"))
        yield top, [], ["0.png"]

    monkeypatch.setattr("mien.media.images.os.walk", walk)
    rows = recognizer.predict_folder(folder).to_pylist()
    assert rows[0]["error"] is None
    assert rows[1]["source"] == f"{folder}/locked"
    assert rows[1]["error"] == "the folder may not be opened; check its permissions"


NASTY = ["new\nline.png", "\u2028\u0085.png", "[red][bold].png", "caf\udce9.png", "\u7b11 face.png"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_nasty_names_are_kept_through_journal_and_table(
    recognizer: mien.Recognizer, tmp_path: Path, astronaut: np.ndarray, suffix: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NASTY:
        Image.fromarray(astronaut[50:190, 160:290]).save(tmp_path / "plain.png")
        (tmp_path / "plain.png").rename(folder / name)
    output = tmp_path / f"out{suffix}"
    predict_to(recognizer, batch_of(folder), output, Settings())
    assert predict_to(recognizer, batch_of(folder), output, Settings()) == 0
    rows = read_table(output, FERPLUS)
    assert len(rows) == len(NASTY)
    assert all(row["expression"] == "happiness" for row in rows)
    assert any("caf\\xe9" in row["source"] for row in rows)


def test_damaged_neighbours_of_the_output_are_named(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    partial = output.with_name("out.csv.partial")
    for text in ("garbage\n", "[1]\n[2]\n", "3\n4\n"):
        partial.write_text(text)
        with pytest.raises(OutputError, match=r"no journal of mien|other weights"):
            predict_to(recognizer, batch_of(folder), output, Settings())
    partial.unlink()
    output.write_text("source,frame\na\n")
    with pytest.raises(OutputError, match=r"no table of mien|other columns"):
        predict_to(recognizer, batch_of(folder), output, Settings())


def test_saved_images_follow_the_folders_and_resume(recognizer: mien.Recognizer, folder: Path) -> None:
    settings = Settings(save=folder / "marked")
    output = folder.parent / "out.csv"
    predict_to(recognizer, batch_of(folder), output, Settings())
    assert predict_to(recognizer, Batch.of([folder], settings), output, settings) == 10  # nothing was saved yet
    assert predict_to(recognizer, Batch.of([folder], settings), output, settings) == 1  # only the broken one again
    assert (folder / "marked" / "0.png").exists()
    assert (folder / "marked" / "0.png.json").exists()
    assert len(Batch.of([folder], settings).items) == 10  # what was saved is no source


def test_saving_overwrites_neither_a_source_nor_another_image(folder: Path) -> None:
    with pytest.raises(OutputError, match="would be overwritten"):
        Batch.of([folder / "0.png"], Settings(save=folder))
    twin = folder.parent / "twin"
    twin.mkdir()
    (twin / "0.png").write_bytes((folder / "0.png").read_bytes())
    out = folder.parent / "marked"
    with pytest.raises(OutputError, match="would both be saved"):
        Batch.of([folder / "0.png", twin / "0.png"], Settings(save=out))
    apart = Batch.of([folder, twin], Settings(save=out))
    assert apart.saver is not None


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_or_doubled(folder: Path, astronaut: np.ndarray) -> None:
    for i in range(60):
        Image.fromarray(astronaut[40:200, 150 + i % 7 : 300]).save(folder / f"more{i:02d}.png")
    output = folder.parent / "out.jsonl"
    partial = output.with_name("out.jsonl.partial")
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--output", str(output), "--quiet"]
    for wanted in (3, 20, 45):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            if partial.exists() and partial.read_bytes().count(b"\n") > wanted:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.wait()
        assert not output.exists()
    code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
    assert code == 1  # bad.png
    found = [json.loads(line)["source"] for line in output.read_text().splitlines()]
    assert len(found) == len(set(found)) == 70


@pytest.mark.slow
def test_control_c_stops_with_one_line_and_the_next_run_goes_on(folder: Path) -> None:
    output = folder.parent / "out.csv"
    for i in range(200):
        (folder / f"copy{i}.png").write_bytes((folder / "0.png").read_bytes())
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--output", str(output)]
    # a shell starts background jobs deaf to Ctrl-C, and their children inherit that
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear)
    journal = output.with_name("out.csv.partial")
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "stopped" in said
    assert "Traceback" not in said
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 1  # bad.png
    assert len(read_table(output, FERPLUS)) == 210
