from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.cli.app import run
from mien.datasets import DATASETS, dataset_info
from mien.datasets.audit.check import DatasetCheck, check
from mien.datasets.info import DatasetInfo
from tests.datasets.distributions import image, text

LIST = "EmoLabel/list_patition_label.txt"
ROWS = {  # name -> (label, seed of its image): three copies, one of them across
    "train_00001": (5, 0),
    "train_00002": (4, 1),
    "train_00003": (4, 1),
    "test_0001": (1, 2),
    "test_0002": (4, 1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """RAF-DB as it is unpacked, five images."""
    top = tmp_path / "basic"
    text(top / LIST, *(f"{name}.jpg {label}" for name, (label, _) in ROWS.items()))
    for name, (_, seed) in ROWS.items():
        image(top / f"Image/aligned/{name}_aligned.jpg", seed=seed, side=100)
    return top


def info(expected: dict[str, dict[str, int]]) -> DatasetInfo:
    return replace(dataset_info("raf-db"), expected={"aligned": expected})


WHOLE = {"train": {"sadness": 1, "happiness": 2}, "test": {"surprise": 1, "happiness": 1}}


def test_what_is_as_published_is_usable(folder: Path) -> None:
    found = check(info(WHOLE), folder)
    assert found.usable
    assert found.verdict == "raf-db (aligned) is usable as published: 5 images."
    assert {(count.split, count.images, count.published) for count in found.totals} == {
        ("train", 3, 3),
        ("test", 2, 2),
    }


def test_copies_within_and_across_splits_are_counted_and_shown(folder: Path) -> None:
    found = check(info(WHOLE), folder)
    (crossing,) = found.overlaps
    assert (crossing.kind, crossing.splits, crossing.count, crossing.rows) == (
        "near-duplicate",
        ("train", "test"),
        2,
        (2, 1),
    )
    assert crossing.examples[0] == "Image/aligned/train_00002_aligned.jpg = Image/aligned/test_0002_aligned.jpg"
    assert found.repeated == 1
    assert found.contradictions == 0


def test_copies_with_two_labels_are_counted(folder: Path) -> None:
    image(folder / "Image/aligned/test_0001_aligned.jpg", seed=0, side=100)  # surprise, sadness in train
    assert check(info(WHOLE), folder).contradictions == 1


def test_other_counts_are_no_usable_set(folder: Path) -> None:
    found = check(info({**WHOLE, "train": {"sadness": 2, "happiness": 1}}), folder, duplicates=False)
    assert not found.usable
    assert found.differing == ("train",)
    assert "other counts than published of train, none of them opened" in found.verdict


def test_an_absent_split_is_said_and_leaves_the_others_usable(folder: Path) -> None:
    found = check(info({**WHOLE, "valid": {"all": 9}}), folder)
    assert found.usable
    assert found.absent == ("valid",)
    assert found.verdict.endswith("5 images, nothing of valid.")


def test_unreadable_images_are_problems_unless_nothing_is_opened(folder: Path) -> None:
    (folder / "Image/aligned/test_0001_aligned.jpg").write_bytes(b"\xff\xd8\xff")
    found = check(info(WHOLE), folder)
    assert [(problem.kind, problem.where) for problem in found.problems] == [
        ("unreadable", "Image/aligned/test_0001_aligned.jpg")
    ]
    assert found.verdict == "raf-db (aligned) is not as published: 5 images, 1 problem."
    assert check(info(WHOLE), folder, duplicates=False).usable


def test_subjects_on_both_sides_are_named(folder: Path) -> None:
    plain = dataset_info("raf-db")

    def read(files: object, variant: str) -> object:
        reading = plain.read(files, variant)  # type: ignore[arg-type]
        subject = np.array(["ann", "bob", "", "ann", ""], dtype=object)
        return replace(reading, samples=replace(reading.samples, subject=subject))

    found = check(replace(info(WHOLE), read=read), folder, duplicates=False)  # type: ignore[arg-type]
    (crossing,) = found.overlaps
    assert (crossing.kind, crossing.count, crossing.rows, crossing.examples) == ("subject", 1, (1, 1), ("ann",))


def test_an_empty_place_says_where_the_set_comes_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", "raf-db", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "http://www.whdeld.cn/RAF/model1.html" in said
    assert "no image of it was found" in said
    assert "list_patition_label.txt is not there" in said


Command = Callable[..., str]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run one command and give what it printed."""
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: object, code: int = 0) -> str:
        assert run([str(argument) for argument in arguments]) == code
        return capsys.readouterr().out

    return call


def test_problems_are_grouped_and_all_of_them_are_shown_when_asked(folder: Path, command: Command) -> None:
    lines = [f"train_{10 + i:05}.jpg 1" for i in range(6)]
    text(folder / LIST, "train_00001.jpg 5", "train_00002.jpg 9", *lines)
    said = command("data", "check", "raf-db", folder, "--no-duplicates", code=1)
    assert "unknown label: 1" in said
    assert f"{LIST}:2: label '9' is unknown; it must be one of" in said
    assert "missing image: 6" in said
    assert "and 3 more; --all lists them" in said
    assert "1 (published 1,982)" in said
    said = command("data", "check", "raf-db", folder, "--no-duplicates", "--all", code=1)
    assert f"{LIST}:8: Image/aligned/train_00015_aligned.jpg is not there" in said
    assert "--all" not in said


def test_the_report_is_a_file_as_well(folder: Path, tmp_path: Path, command: Command) -> None:
    command("data", "check", "raf-db", folder, "--workers", 1, "--json", tmp_path / "r.json", code=1)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["usable"] is False
    assert report["images"] == 5
    assert {"split": "test", "label": "fear", "images": 0, "published": 74} in report["counts"]


@pytest.mark.skipif(os.name == "nt", reason="folders of POSIX")
def test_a_report_that_cannot_be_written_is_an_error_of_one_line(
    folder: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "check", "raf-db", str(folder), "--no-duplicates", "--json", "/nowhere/r.json"]) == 1
    assert "mien: /nowhere/r.json cannot be written (No such file or directory)" in capsys.readouterr().err


def test_every_set_is_listed_and_described(command: Command) -> None:
    listed = command("data", "list")
    for name in DATASETS:
        assert name in listed
        assert dataset_info(name).obtain.split()[0] in command("data", "info", name)


def test_an_unknown_set_is_wrong_usage(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "raf"]) == 2
    assert "No data set called 'raf'. Did you mean 'raf-db'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "images", "absent", "crossing"), [("ferplus", 32137, ("test",), 747), ("muxspace", 12682, (), 0)]
)
def test_the_real_sets_pass(
    real: Callable[[str], Path],
    tmp_path: Path,
    command: Command,
    name: str,
    images: int,
    absent: tuple[str, ...],
    crossing: int,
) -> None:
    archive = real(f"{name}.zip")
    found = check(dataset_info(name), archive)
    assert found.usable
    assert (found.images, found.absent) == (images, absent)
    assert sum(one.count for one in found.overlaps) == pytest.approx(crossing, abs=3)  # decoders round differently
    assert f"{images:,} images" in command("data", "show", name, archive, "--save", tmp_path / "sheet.png")
    assert f"{images:,} images" in command("data", "summary", name, archive)


def test_a_check_without_problems_is_a_value(folder: Path) -> None:
    found: DatasetCheck = check(info(WHOLE), folder)
    assert json.loads(json.dumps(found.to_dict()))["verdict"] == found.verdict
