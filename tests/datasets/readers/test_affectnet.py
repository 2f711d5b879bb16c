from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, text

SET = dataset_info("affectnet")
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
POINTS = ";".join(f"{i}.5;{i + 1}" for i in range(68))


def annotate(folder: Path, number: int, expression: object, *, seed: int = 0) -> None:
    """What the later distribution has of one image; its numbers are arrays of text."""
    image(folder / f"images/{number}.jpg", seed=seed, side=224)
    (folder / "annotations").mkdir(exist_ok=True)
    np.save(folder / f"annotations/{number}_exp.npy", np.array(expression))
    np.save(folder / f"annotations/{number}_val.npy", np.array("-0.25"))
    np.save(folder / f"annotations/{number}_aro.npy", np.array("0.5"))
    np.save(folder / f"annotations/{number}_lnd.npy", np.arange(136.0))


@pytest.fixture
def later(tmp_path: Path) -> Path:
    annotate(tmp_path / "AffectNet/train_set", 7, "3")
    annotate(tmp_path / "AffectNet/train_set", 12, "10")
    annotate(tmp_path / "AffectNet/train_set", 13, 7)
    annotate(tmp_path / "AffectNet/val_set", 7, "6")
    return tmp_path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    lists = tmp_path / "Manually_Annotated_file_lists"
    text(lists / "training.csv", HEADER,
         f"689/a.JPG,10,20,100,120,{POINTS},1,0.5,-0.25",
         "690/none.jpg,NULL,NULL,NULL,NULL,,10,-2,-2",
         f"690/b.jpg,1,2,3,4,{POINTS},7,0,0")  # fmt: skip
    text(lists / "validation.csv", HEADER, f"1/c.jpg,1,2,3,4,{POINTS},0,0,0")
    for seed, name in enumerate(("689/a.JPG", "690/b.jpg", "1/c.jpg")):
        image(tmp_path / "Manually_Annotated/Manually_Annotated_Images" / name, seed=seed)
    return tmp_path


def test_the_later_distribution(later: Path) -> None:
    reading = SET.reading(later, variant="8")
    samples = reading.checked()
    assert samples.path.tolist() == ["train_set/images/13.jpg", "train_set/images/7.jpg", "val_set/images/7.jpg"]
    assert samples.split.tolist() == ["train", "train", "test"]
    assert [samples.labels[i] for i in samples.label] == ["contempt", "surprise", "anger"]
    assert samples.points[0].tolist() == np.arange(136).reshape(68, 2).tolist()
    assert samples.extra["valence"].tolist() == [-0.25] * 3
    assert samples.extra["arousal"].tolist() == [0.5] * 3
    assert reading.notes == ("1 left out: expression 10, no face",)
    assert samples.image(0).shape == (224, 224, 3)


def test_the_distribution_of_2017(first: Path) -> None:
    samples = SET.samples(first, variant="8")
    assert samples.path[0] == "Manually_Annotated/Manually_Annotated_Images/689/a.JPG"
    assert [samples.labels[i] for i in samples.label] == ["happiness", "contempt", "neutral"]
    assert samples.split.tolist() == ["train", "train", "test"]
    assert samples.box[0].tolist() == [10, 20, 110, 140]
    assert samples.points[0][1].tolist() == [1.5, 2]
    assert samples.extra["valence"][0] == 0.5


@pytest.mark.parametrize("distribution", ["first", "later"])
def test_seven_classes_leave_contempt_out(distribution: str, request: pytest.FixtureRequest) -> None:
    reading = SET.reading(request.getfixturevalue(distribution), variant="7")
    assert reading.problems == ()
    assert len(reading.samples) == 2
    assert "1 left out: contempt, which is none of the seven classes" in reading.notes


def test_published_counts_follow_the_distribution() -> None:
    assert SET.published("8", "csv")["test"]["contempt"] == 500
    assert SET.published("8", "folders")["test"]["contempt"] == 499
    assert sum(SET.published("7", "folders")["train"].values()) == 283901
    assert sum(SET.published("8", "folders")["train"].values()) == 287651


def test_a_reading_says_which_distribution_it_is(later: Path) -> None:
    assert SET.reading(later).release == "folders"


def test_every_broken_file_of_the_later_distribution_is_named(later: Path) -> None:
    train = later / "AffectNet/train_set"
    annotate(train, 20, "11")
    annotate(train, 21, "1")
    (train / "images/21.jpg").unlink()
    annotate(train, 22, ["1", "2"])
    annotate(train, 23, "1")
    (train / "annotations/23_exp.npy").write_bytes(b"\x93NUMPY\x01")
    annotate(train, 24, "1")
    (train / "annotations/24_lnd.npy").unlink()
    image(train / "images/25.jpg")
    reading = SET.reading(later)
    assert [(p.kind, p.where.rpartition("/")[2]) for p in reading.problems] == [
        ("unknown label", "20_exp.npy"),
        ("missing image", "21_exp.npy"),
        ("wrong column", "22_exp.npy"),
        ("wrong column", "23_exp.npy"),
    ]
    row = reading.samples.path.tolist().index("train_set/images/24.jpg")
    assert np.isnan(reading.samples.points[row]).all()
    assert "1 left out: an image without annotation" in reading.notes


def test_every_broken_row_of_2017_is_named(first: Path) -> None:
    text(first / "Manually_Annotated_file_lists/training.csv", HEADER,
         f"689/a.JPG,10,20,100,120,{POINTS},1,0.5,-0.25",
         f"689/absent.jpg,10,20,100,120,{POINTS},1,0.5,-0.25",
         f"690/b.jpg,1,2,3,4,{POINTS},11,0,0",
         "690/b.jpg,1,2,3,4,1;2,3,0,0",
         f"689/a.JPG,10,20,100,120,{POINTS},1,0.5,-0.25",
         f"690/b.jpg,1,2,3,4,{POINTS},²,0,0",
         f"690/b.jpg,nan,2,3,4,{POINTS},1,0,0")  # fmt: skip
    reading = SET.reading(first)
    assert [(p.kind, p.where.rpartition("/")[2]) for p in reading.problems] == [
        ("missing image", "training.csv:3"),
        ("unknown label", "training.csv:4"),
        ("wrong column", "training.csv:5"),
        ("duplicate", "training.csv:6"),
        ("unknown label", "training.csv:7"),
        ("wrong column", "training.csv:8"),
    ]
    text(first / "Manually_Annotated_file_lists/training.csv", HEADER.replace("valence", "mood"))
    with pytest.raises(InputError, match="training.csv:1: column valence is missing"):
        SET.reading(first)


def test_the_training_part_alone_is_enough(first: Path, tmp_path: Path) -> None:
    (first / "Manually_Annotated_file_lists/validation.csv").unlink()
    assert SET.reading(first).notes[0] == "validation.csv is not there; get it to have the test split"
    assert SET.samples(first).splits == ["train"]


def test_parts_may_be_unpacked_into_folders_of_their_own(later: Path) -> None:
    (later / "AffectNet/val").mkdir()
    (later / "AffectNet/val_set").rename(later / "AffectNet/val/val_set")
    assert SET.samples(later).splits == ["train", "test"]


def test_empty_folders_are_a_problem(tmp_path: Path) -> None:
    text(tmp_path / "train_set/annotations/readme.txt", "nothing yet")
    assert [p.what for p in SET.reading(tmp_path).problems] == ["no annotations/*_exp.npy is there"]


def test_an_unreadable_image_is_named(later: Path) -> None:
    (later / "AffectNet/val_set/images/7.jpg").write_bytes(b"nothing")
    samples = SET.samples(later).of("test")
    with pytest.raises(InputError, match="val_set/images/7.jpg"):
        samples.image(0)


def test_nothing_of_the_set_is_a_problem(tmp_path: Path) -> None:
    assert [p.kind for p in SET.reading(tmp_path).problems] == ["missing file"]
