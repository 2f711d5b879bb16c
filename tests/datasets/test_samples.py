from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.datasets.distribution import Distribution
from mien.datasets.samples import Collector
from mien.errors import DataError, InputError
from mien.labels import AFFECTNET_8, FERPLUS, RAF_DB, Expression, expression_called
from mien.weights.manifest import load_manifest
from tests.datasets.distributions import image, image_bytes, text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        image(tmp_path / "set/images" / name, seed=seed)
    return tmp_path


def collected(folder: Path) -> Collector:
    rows = Collector(AFFECTNET_8, Distribution(folder / "set"))
    rows.add("images/a.png", Expression.FEAR, where="list:1", split="train", subject="01", yaw_deg=10.0)
    rows.add("images/b.png", Expression.CONTEMPT, where="list:2", split="test", subject="02")
    rows.add("images/c.png", None, where="list:3", split="test")
    return rows


def test_absent_values_are_nan_or_empty_and_absent_columns_none(folder: Path) -> None:
    samples = collected(folder).done().samples
    assert samples.subject.tolist() == ["01", "02", ""]
    assert np.array_equal(samples.yaw_deg, [10, np.nan, np.nan], equal_nan=True)
    assert samples.box is None
    assert samples.counts()["test"]["no label"] == 1


def test_restricting_goes_by_name_and_drops_what_is_not_there(folder: Path) -> None:
    samples = collected(folder).done().samples.restrict(RAF_DB)
    assert samples.path.tolist() == ["images/a.png", "images/c.png"]
    assert samples.labels[samples.label[0]] is Expression.FEAR


def test_votes_are_restricted_and_sum_to_one_again(folder: Path) -> None:
    rows = Collector(FERPLUS, Distribution(folder / "set"))
    votes = np.array([0, 0, 0, 0, 0.5, 0, 0, 0.5])
    rows.add("images/a.png", Expression.ANGER, where="list:1", votes=votes)
    samples = rows.done().samples.restrict(RAF_DB)
    assert samples.votes[0].tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_the_fingerprint_follows_the_rows(folder: Path) -> None:
    samples = collected(folder).done().samples
    assert samples.fingerprint() == collected(folder).done().samples.fingerprint()
    assert samples.fingerprint() != samples.take(np.array([1, 0, 2])).fingerprint()


def test_a_zip_is_read_in_place_and_travels_between_processes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("top/labels.csv", "image,label\na.png,fear\n")
        archive.writestr("top/a.png", image_bytes())
        archive.writestr("__MACOSX/top/a.png", b"")
    files = Distribution(tmp_path / "set.zip").holding("labels.csv")
    assert files.names == ("a.png", "labels.csv")
    assert pickle.loads(pickle.dumps(files)).read("a.png") == image_bytes()
    assert list(files.rows("labels.csv", ["image", "label"])) == [(2, {"image": "a.png", "label": "fear"})]


def test_a_zip_of_windows_has_its_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        info = zipfile.ZipInfo()
        info.filename = "images\\a.png"  # the constructor would change it on Windows
        archive.writestr(info, image_bytes())
    files = Distribution(tmp_path / "set.zip")
    assert files.names == ("images/a.png",)
    assert files.read("images/a.png") == image_bytes()


def test_links_are_followed_but_not_in_circles(folder: Path) -> None:
    image(folder / "elsewhere/d.png")
    (folder / "set/more").symlink_to(folder / "elsewhere")
    (folder / "set/images/up").symlink_to(folder / "set")
    (folder / "elsewhere/back").symlink_to(folder / "set")
    assert Distribution(folder / "set").names == ("images/a.png", "images/b.png", "images/c.png", "more/d.png")


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "images":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="images cannot be listed"):
        _ = Distribution(folder).names


def test_a_name_that_is_no_utf8_is_a_problem(tmp_path: Path) -> None:
    rows = Collector(RAF_DB, Distribution(tmp_path))
    rows.files.__dict__["names"] = ("caf\udce9.png",)
    assert not rows.add("caf\udce9.png", Expression.FEAR, where="caf\udce9.png")
    assert [str(problem) for problem in rows.problems] == [
        r"caf\udce9.png: the name caf\udce9.png is not UTF-8; rename it"
    ]


def test_empty_lists_are_a_problem(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row was found"):
        Collector(RAF_DB, Distribution(tmp_path)).done().checked()


def test_a_missing_column_is_named_with_what_was_found(tmp_path: Path) -> None:
    text(tmp_path / "labels.csv", "photo,label", "a.png,fear")
    with pytest.raises(DataError, match=r"labels.csv:1: column image is missing; found photo, label"):
        list(Distribution(tmp_path).rows("labels.csv", ["image", "label"]))


def test_a_place_that_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Distribution(tmp_path / "absent")
    text(tmp_path / "notes.txt", "hello")
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        Distribution(tmp_path / "notes.txt")


def test_holding_finds_the_uppermost_place(folder: Path) -> None:
    assert Distribution(folder).holding("images").prefix == "set/"
    assert Distribution(folder).holding("images/a.png").prefix == "set/"
    assert Distribution(folder).holding("mages/a.png") is None


@pytest.mark.parametrize(("word", "label"), [("Happy", "happiness"), (" angry ", "anger"), ("FEAR", "fear")])
def test_words_of_other_sets_are_understood(word: str, label: str) -> None:
    assert expression_called(word) == label


def test_an_unknown_word_is_no_class() -> None:
    assert expression_called("selfies") is None


@pytest.mark.parametrize("name", ["wild7.zip", "kdef3.zip", "stock_cdf.zip"])
def test_tables_without_a_name_that_trained_the_shipped_weights_are_known(
    real: Callable[[str], Path], name: str
) -> None:
    table = dataset_info("csv").samples(real(name)).fingerprint()
    assert load_manifest("default").saw(f"csv:{table}", ["train"])
    assert not load_manifest("default").saw(f"csv:{table}", ["valid"])
