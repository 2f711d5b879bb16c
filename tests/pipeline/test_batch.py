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
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.cli.app import run
from mien.distributed.sources import sources_of
from mien.errors import OutputError
from mien.labels import FERPLUS
from mien.pipeline.batch import images_of
from mien.pipeline.journal import Journal
from mien.pipeline.rows import TableRow
from mien.pipeline.table import read_table
from tests.media.videos import write_video


def sources(rows: list[dict[str, object]]) -> list[str]:
    return [Path(str(row["source"])).name for row in rows]


def test_a_bad_file_is_a_row_and_the_rest_goes_on(recognizer: mien.Recognizer, folder: Path) -> None:
    rows = recognizer.predict_folder(folder).to_pylist()
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "none.png"]
    assert [row["error"] is None for row in rows] == [True] * 8 + [False, True]
    assert rows[9]["face"] is None
    assert {row["expression"] for row in rows[:8]} == {"happiness"}


def test_crops_have_one_row_each(recognizer: mien.Recognizer, folder: Path) -> None:
    rows = recognizer.predict_folder(folder, detect=False).to_pylist()
    assert [row["face"] for row in rows] == [0] * 8 + [None, 0]
    assert all(row["detection"] is None for row in rows)


def test_the_order_is_that_of_the_sources_whatever_finishes_first(
    recognizer: mien.Recognizer, folder: Path
) -> None:
    for workers in (1, 3):
        done = [result.source for result in recognizer.stream([folder], workers=workers)]
        assert done == images_of([str(folder)])


def test_faces_of_several_images_are_recognised_together(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {name: recognizer.predict(folder / name) for name in (f"{i}.png" for i in range(8))}
    batches, recognised = [], recognizer.with_expressions
    monkeypatch.setattr(recognizer, "with_expressions", lambda seen: batches.append(len(seen)) or recognised(seen))
    together = {Path(result.source).name: result for result in recognizer.stream([folder], workers=1)}
    assert batches == [4, 4, 0]
    for name, faces in alone.items():
        assert [face.box for face in faces] == [face.box for face in together[name].faces]
        assert [face.quality for face in faces] == [face.quality for face in together[name].faces]
        scores = [face.expression.values for face in (*faces, *together[name].faces) if face.expression]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_a_face_that_cannot_be_recognised_costs_only_its_own_image(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, recognised = recognizer.see(folder / "5.png")[0].face.box, recognizer.with_expressions

    def recognise(seen: Any) -> Any:
        if any(one.face.box == bad for one in seen):
            raise ValueError("strange")
        return recognised(seen)

    monkeypatch.setattr(recognizer, "with_expressions", recognise)
    results = list(recognizer.stream([folder], workers=1))
    assert [Path(result.source).name for result in results if result.error] == ["5.png", "bad.png"]
    assert "ValueError: strange" in str(results[5].error)


def test_a_source_named_twice_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(images_of([str(folder), str(folder / "0.png"), str(folder)])) == 10
    monkeypatch.chdir(folder)
    spellings = ["0.png", "./0.png", str(folder / "0.png"), f"../{folder.name}//0.png"]
    assert images_of(spellings) == ["0.png"]
    assert images_of([".", *spellings]) == images_of(["."])


def test_a_full_disk_says_so_and_keeps_what_is_done(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder.parent / "out.csv"
    add = Journal.add
    count = 0

    def fill(self: Journal, source: str, rows: list[TableRow], **more: Any) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, source, rows, **more)

    monkeypatch.setattr(Journal, "add", fill)
    with pytest.raises(OutputError, match="the disk is full; free some space and run this again"):
        recognizer.predict_folder(folder, output=output)
    assert len(output.with_name("out.csv.partial").read_text().splitlines()) == 1 + 3
    assert recognizer.predict_folder(folder, output=output).num_rows == 10


@pytest.mark.parametrize(
    "options", [{"output": "x.parquet"}, {"save": "saved"}, {"output": "x.csv", "save": "saved"}]
)
def test_a_disk_that_is_full_from_the_start_says_so(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    def full(*_given: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mien.pipeline.save.write_image", full)
    monkeypatch.setattr(Journal, "_write", full)
    paths = {name: folder.parent / path for name, path in options.items()}
    with pytest.raises(OutputError, match="the disk is full; free some space and run this again"):
        recognizer.predict_folder(folder, **paths)


def test_an_unreadable_subfolder_is_a_row(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk(top: str, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        onerror(PermissionError(errno.EACCES, "Permission denied", f"{top}/locked"))
        yield top, [], ["0.png"]

    monkeypatch.setattr("mien.media.folder.os.walk", walk)
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
    rows = recognizer.predict_folder(folder, output=output).to_pylist()
    assert list(recognizer.stream([folder], output=output)) == []
    assert len(rows) == len(NASTY)
    assert all(row["expression"] == "happiness" for row in rows)
    assert any("caf\\xe9" in row["source"] for row in rows)


def test_damaged_neighbours_of_the_output_are_named(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    partial = output.with_name("out.csv.partial")
    for text in ("garbage\n", "[1]\n[2]\n", "3\n4\n"):
        partial.write_text(text)
        with pytest.raises(OutputError, match=r"no journal of mien|other weights"):
            recognizer.predict_folder(folder, output=output)
    partial.unlink()
    output.write_text("source,frame\na\n")
    with pytest.raises(OutputError, match=r"no table of mien|other columns"):
        recognizer.predict_folder(folder, output=output)


def test_saved_images_follow_the_folders_and_resume(recognizer: mien.Recognizer, folder: Path) -> None:
    output, marked = folder.parent / "out.csv", folder / "marked"
    recognizer.predict_folder(folder, output=output)
    assert len(list(recognizer.stream([folder], output=output, save=marked))) == 10  # nothing was saved yet
    assert len(list(recognizer.stream([folder], output=output, save=marked))) == 1  # only the broken one again
    assert (folder / "marked" / "0.png").exists()
    assert (folder / "marked" / "0.png.json").exists()
    assert recognizer.predict_folder(folder, save=marked).num_rows == 10  # what was saved is no source
    assert recognizer.predict_folder(folder).num_rows == 10  # nor is it for a run that saves nothing
    assert len(list(recognizer.stream([folder], output=output))) == 1
    assert recognizer.predict_folder(marked).num_rows == 9  # unless it is given itself


def test_what_was_drawn_into_a_folder_is_no_image_of_it(
    recognizer: mien.Recognizer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, before = str(folder / "0.png"), images_of([str(folder)])
    talk = write_video(folder / "talk.mp4", 12, image_of=lambda i: np.roll(mien.read_image(one), i, axis=1))
    table = str(folder / "table.csv")
    assert run(["predict", str(talk), "--annotated", str(folder / "annotated.mp4"), "-o", table]) == 0
    assert run(["explain", one, "-o", str(folder / "map.jpg"), "--sheet", str(folder / "sheet.png")]) == 0
    assert run(["plot", table, "-o", str(folder / "plot.png")]) == 0
    assert run(["predict", str(folder), "--explain", str(folder / "why"), "--save", str(folder / "marked")]) == 1
    assert (folder / "why" / "0.png.face0.png").exists()
    assert images_of([str(folder)]) == sorted([*before, str(talk)])
    assert [source.name for source in sources_of([str(folder)])] == images_of([str(folder)])
    assert images_of([str(folder / "annotated.mp4")]) == [
        str(folder / "annotated.mp4")
    ]  # unless it is given itself


def test_saved_images_are_drawn_as_wanted(recognizer: mien.Recognizer, folder: Path) -> None:
    source, saved = folder / "0.png", folder.parent / "marked" / "0.png"
    images = []
    for draw, anonymize in (([], None), (["boxes"], None), ([], "pixelate")):
        list(recognizer.stream([source], save=saved.parent, draw=draw, anonymize=anonymize))
        images.append(mien.read_image(saved))
    np.testing.assert_array_equal(images[0], mien.read_image(source))
    assert [bool((image != images[0]).any()) for image in images[1:]] == [True, True]
    with pytest.raises(mien.UnknownNameError, match="anonymising"):
        recognizer.stream([source], save=saved.parent, anonymize="smear")


def test_saving_overwrites_neither_a_source_nor_another_image(recognizer: mien.Recognizer, folder: Path) -> None:
    with pytest.raises(OutputError, match="would be overwritten"):
        recognizer.stream([folder / "0.png"], save=folder)
    twin = folder.parent / "twin"
    twin.mkdir()
    (twin / "0.png").write_bytes((folder / "0.png").read_bytes())
    out = folder.parent / "marked"
    with pytest.raises(OutputError, match="would both be saved"):
        recognizer.stream([folder / "0.png", twin / "0.png"], save=out)
    next(recognizer.stream([folder, twin], save=out))
    assert (out / "images" / "0.png").exists()


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
    sources = [json.loads(line)["source"] for line in output.read_text().splitlines()]
    assert len(sources) == len(set(sources)) == 70


@pytest.mark.slow
def test_control_c_stops_with_one_line_and_the_next_run_goes_on(folder: Path) -> None:
    output = folder.parent / "out.csv"
    for i in range(60):
        (folder / f"copy{i}.png").write_bytes((folder / "0.png").read_bytes())
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--output", str(output)]
    # a shell starts background jobs deaf to Ctrl-C, and their children inherit that
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear)
    journal = output.with_name("out.csv.partial")
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 1  # bad.png
    assert len(read_table(output, FERPLUS)) == 70


def test_saving_without_a_table_resumes_and_gives_the_same_results(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = folder.parent / "marked"
    first = list(recognizer.stream([folder], save=saved))
    (saved / "3.png").unlink()
    Image.new("RGB", (80, 80)).save(folder / "4.png")  # another image under the same name
    seen, see = [], recognizer.see
    monkeypatch.setattr(recognizer, "see", lambda image, **options: seen.append(1) or see(image, **options))
    again = list(recognizer.stream([folder], save=saved))
    assert len(seen) == 2
    assert [result for result in again if Path(result.source).name != "4.png"] == [
        result for result in first if Path(result.source).name != "4.png"
    ]
    assert again[4].faces == ()
    seen.clear()
    list(recognizer.stream([folder], save=saved, detect=False))
    assert len(seen) == 9  # other settings
    seen.clear()
    list(recognizer.stream([folder], save=saved, detect=False, overwrite=True))
    assert len(seen) == 9
