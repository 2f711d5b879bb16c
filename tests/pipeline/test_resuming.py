"""Tables that are resumed and extended: what is done stays, what has changed is read again, settings do not mix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import OutputError
from mien.labels import FERPLUS
from mien.pipeline.journal import sources_in
from mien.pipeline.table import read_table
from mien.weights.manifest import load_manifest
from tests.conftest import EXAMPLES
from tests.pipeline.test_batch import sources


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_stopped_run_is_completed_by_the_next(recognizer: mien.Recognizer, folder: Path, suffix: str) -> None:
    output = folder.parent / f"out{suffix}"
    seen: list[str] = []
    calls: list[tuple[int, int | None]] = []
    for result in recognizer.stream([folder], output=output):
        seen.append(result.source)
        if len(seen) == 3:
            break
    assert not output.exists()
    results = recognizer.stream([folder], output=output, progress=lambda *call: calls.append(call))
    seen += [result.source for result in results]
    assert len(seen) == len(set(seen)) == 10
    assert calls == [(done, 10) for done in range(3, 11)]
    assert read_table(output, FERPLUS) == recognizer.predict_folder(folder)
    assert not list(output.parent.glob("*.partial"))


def test_a_line_cut_by_the_kill_is_read_again(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    assert len(list(islice(recognizer.stream([folder], output=output), 3))) == 3
    partial = output.with_name("out.csv.partial")
    partial.write_bytes(partial.read_bytes()[:-25])
    assert recognizer.predict_folder(folder, output=output) == recognizer.predict_folder(folder)


def test_new_images_are_added_and_mended_ones_read_again(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    recognizer.predict_folder(folder, output=output)
    Image.open(folder / "0.png").save(folder / "bad.png")
    Image.open(folder / "0.png").save(folder / "new.png")
    seen = [Path(result.source).name for result in recognizer.stream([folder], output=output)]
    assert seen == ["bad.png", "new.png"]
    rows = read_table(output, FERPLUS).to_pylist()
    assert sources(rows) == [f"{i}.png" for i in range(8)] + ["bad.png", "new.png", "none.png"]
    assert all(row["error"] is None for row in rows)


def test_other_settings_do_not_mix(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    next(recognizer.stream([folder], output=output))
    with pytest.raises(OutputError, match=r"other weights or settings \(detect was true, now false\)"):
        recognizer.predict_folder(folder, output=output, detect=False)
    assert recognizer.predict_folder(folder, output=output, detect=False, overwrite=True).num_rows == 10


@pytest.mark.parametrize(
    ("field", "change"), [("temperature", "temperature was"), ("priors", "priors_identity was")]
)
def test_a_table_is_not_extended_after_its_weights_were_calibrated(tmp_path: Path, field: str, change: str) -> None:
    photo, output = EXAMPLES / "astronaut.jpg", tmp_path / "out.csv"
    weights = shutil.copytree(load_manifest("phanet").folder, tmp_path / "weights")
    mien.load(weights, threads=1).predict_many([photo], output=output)
    manifest = json.loads((weights / "manifest.json").read_text())
    values = {"temperature": 2.0, "priors": manifest["priors"] | {"default": [0.5] + [0.0] * 7}}
    (weights / "manifest.json").write_text(json.dumps(manifest | {field: values[field]}))
    with pytest.raises(OutputError, match=rf"other weights or settings \({change}"):
        mien.load(weights, threads=1).predict_many([photo], output=output)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_resumed_or_extended_table_has_the_bytes_of_one_made_at_once(
    recognizer: mien.Recognizer, folder: Path, suffix: str
) -> None:
    whole, stopped, extended = (folder.parent / f"{name}{suffix}" for name in ("whole", "stopped", "extended"))
    recognizer.predict_folder(folder, output=whole, detect=False)  # boxes of whole numbers
    for count in (2, 3, 1):
        assert len(list(islice(recognizer.stream([folder], output=stopped, detect=False), count))) == count
    recognizer.predict_folder(folder, output=stopped, detect=False)
    recognizer.predict_many([folder / "3.png", folder / "bad.png"], output=extended, detect=False)
    recognizer.predict_folder(folder, output=extended, detect=False)
    assert whole.read_bytes() == stopped.read_bytes() == extended.read_bytes()


def test_a_changed_file_under_the_same_name_is_read_again(recognizer: mien.Recognizer, folder: Path) -> None:
    output = folder.parent / "out.csv"
    next(recognizer.stream([folder], output=output))
    Image.open(folder / "none.png").save(folder / "0.png")
    rows = recognizer.predict_folder(folder, output=output).to_pylist()
    assert rows[0]["face"] is None
    Image.open(folder / "none.png").save(folder / "1.png")
    seen = [Path(result.source).name for result in recognizer.stream([folder], output=output)]
    assert seen == ["1.png", "bad.png"]
    rows = read_table(output, FERPLUS).to_pylist()
    assert [row["face"] is None for row in rows] == [True, True] + [False] * 6 + [True] * 2


@pytest.mark.parametrize(
    ("settings", "options", "change"),
    [
        ({"priors": "balanced"}, {}, "priors was default, now balanced"),
        ({"small_faces": True}, {}, "detector.tiles was where there are small faces, now true"),
        ({"min_confidence": 0.25}, {}, "confidence_threshold was "),
        ({"labels": "raf-db"}, {}, "labels was "),
        ({}, {"detect": False}, "detect was true, now false"),
    ],
)
def test_a_finished_table_is_not_extended_with_other_settings(
    recognizer: mien.Recognizer, tmp_path: Path, settings: dict[str, Any], options: dict[str, Any], change: str
) -> None:
    photo, output = EXAMPLES / "astronaut.jpg", tmp_path / "out.csv"
    recognizer.predict_many([photo], output=output)
    before = output.read_bytes()
    other = mien.load(threads=1, **settings)
    with pytest.raises(
        OutputError, match=rf"out.csv was made with other weights or settings \({change}.*overwrite"
    ):
        other.predict_many([photo], output=output, **options)
    assert output.read_bytes() == before
    assert other.predict_many([photo], output=output, overwrite=True, **options).num_rows == 1
    assert list(other.stream([photo], output=output, **options)) == []


def test_a_table_that_does_not_say_how_it_was_made_is_not_extended(
    recognizer: mien.Recognizer, folder: Path
) -> None:
    output = folder.parent / "out.csv"
    recognizer.predict_folder(folder, output=output)
    output.write_text(output.read_text().replace(",happiness,", ",anger,"))
    with pytest.raises(OutputError, match=r"out\.csv was edited"):
        recognizer.predict_folder(folder, output=output)
    output.with_name("out.csv.settings").unlink()
    with pytest.raises(OutputError, match="does not say how it was made"):
        recognizer.predict_folder(folder, output=output)


def test_a_table_is_not_extended_by_the_same_image_in_another_spelling(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    recognizer.predict_many(["0.png"], output="t.csv")
    with pytest.raises(OutputError, match=r"has 0\.png, which is given as \./0\.png now and would count twice"):
        recognizer.predict_many(["./0.png"], output="t.csv")
    assert recognizer.predict_many(["./0.png"], output="t.csv", overwrite=True)["source"].to_pylist() == ["./0.png"]


def test_a_table_is_not_extended_by_the_same_images_named_from_another_folder(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder.parent / "t.csv"
    monkeypatch.chdir(folder.parent)
    recognizer.predict_many([f"{folder.name}/0.png"], output=output)
    before = output.read_bytes()
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match=rf"has {folder.name}/0\.png, which is given as 0\.png now"):
        recognizer.predict_many(["0.png"], output=output)
    assert output.read_bytes() == before
    shutil.copy(folder / "0.png", folder / "copy.png")  # another file, though of the same content
    assert recognizer.predict_many(["copy.png"], output=output)["source"].to_pylist() == [
        "copy.png",
        f"{folder.name}/0.png",
    ]


@pytest.mark.parametrize(
    "name", [pytest.param("9.png", id="a new name"), pytest.param("3.png", id="in the place of another")]
)
def test_a_renamed_image_counts_once(recognizer: mien.Recognizer, folder: Path, name: str) -> None:
    extended, stopped, whole = (folder.parent / f"{name}.csv" for name in ("extended", "stopped", "whole"))
    recognizer.predict_folder(folder, output=extended)
    list(islice(recognizer.stream([folder], output=stopped), 6))
    (folder / "0.png").rename(folder / name)
    list(islice(recognizer.stream([folder], output=stopped), 1))  # stopped again
    for output in (extended, stopped, whole):
        recognizer.predict_folder(folder, output=output)
    assert extended.read_bytes() == stopped.read_bytes() == whole.read_bytes()
    assert sorted(sources_in(extended)) == sorted(sources_in(whole))


def test_rows_of_a_deleted_image_stay_though_another_has_its_content(
    recognizer: mien.Recognizer, folder: Path
) -> None:
    output = folder.parent / "t.csv"
    shutil.copy2(folder / "0.png", folder / "copy.png")
    before = recognizer.predict_folder(folder, output=output)
    (folder / "copy.png").unlink()
    assert sorted(recognizer.predict_folder(folder, output=output)["source"].to_pylist()) == sorted(
        before["source"].to_pylist()
    )


def test_a_table_whose_rows_were_sorted_is_not_extended(recognizer: mien.Recognizer, folder: Path) -> None:
    """It has as many bytes as before, and rows of one image that no longer stand together."""
    output = folder.parent / "out.csv"
    recognizer.predict_folder(folder, output=output)
    heading, *rows = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join([heading, *rows[1:], rows[0]]))
    with pytest.raises(OutputError, match=r"out\.csv was edited"):
        recognizer.predict_folder(folder, output=output)


def test_two_processes_do_not_write_one_table(recognizer: mien.Recognizer, folder: Path) -> None:
    pytest.importorskip("fcntl")
    output = folder.parent / "out.csv"
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'ab'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "file.write(b'{}\\n'); file.flush(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(output) + ".partial"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="being written by another run"):
                recognizer.predict_folder(folder, output=output, overwrite=overwrite)
        other.communicate(b"")
    assert recognizer.predict_folder(folder, output=output, overwrite=True).num_rows == 10


def test_another_image_is_predicted_though_size_and_time_of_its_file_are_the_same(
    recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    photo, table = tmp_path / "a.bmp", tmp_path / "t.csv"
    face, empty = Image.open(EXAMPLES / "astronaut.jpg"), Image.new("RGB", (512, 512))
    face.save(photo)
    before = photo.stat()
    assert [row["face"] for row in recognizer.predict_many([photo], output=table).to_pylist()] == [0]
    empty.save(photo)
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (photo.stat().st_size, photo.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert [row["face"] for row in recognizer.predict_many([photo], output=table).to_pylist()] == [None]


def test_a_change_in_the_middle_of_a_file_is_seen_and_a_copy_is_not_read_again(
    recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, table, saved = tmp_path / "a.bmp", tmp_path / "t.csv", tmp_path / "saved"
    image = np.array(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB"))
    Image.fromarray(image).save(photo)
    before = photo.stat()
    assert [row["face"] for row in recognizer.predict_many([photo], output=table, save=saved).to_pylist()] == [0]
    image[10:-10] = 0  # its head and tail stay
    Image.fromarray(image).save(photo)
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [row["face"] for row in recognizer.predict_many([photo], output=table, save=saved).to_pylist()] == [None]
    copy = photo.read_bytes()
    photo.unlink()
    photo.write_bytes(copy)
    monkeypatch.setattr(recognizer, "see", None)
    assert [row["face"] for row in recognizer.predict_many([photo], output=table, save=saved).to_pylist()] == [None]
    assert [len(result.faces) for result in recognizer.stream([photo], save=saved)] == [0]


def test_a_file_that_changes_during_its_run_is_read_again_by_the_next(
    recognizer: mien.Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, table = tmp_path / "a.bmp", tmp_path / "t.csv"
    face, empty = Image.open(EXAMPLES / "astronaut.jpg"), Image.new("RGB", (512, 512))
    face.save(photo)
    see = recognizer.see

    def changed_meanwhile(*given: Any, **options: Any) -> Any:
        empty.save(photo)
        return see(*given, **options)

    with monkeypatch.context() as during:
        during.setattr(recognizer, "see", changed_meanwhile)
        assert [row["face"] for row in recognizer.predict_many([photo], output=table).to_pylist()] == [0]
    assert [row["face"] for row in recognizer.predict_many([photo], output=table).to_pylist()] == [None]
