from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, text

SET = dataset_info("aff-wild2")
HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
LISTS = "Third ABAW Annotations/EXPR_Classification_Challenge"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text(tmp_path / LISTS / "Train_Set/1-30-1280x720.txt", HEADER, "0", "-1", "4", "7")
    text(tmp_path / LISTS / "Train_Set/30-30-1920x1080_left.txt", HEADER, "5")
    text(tmp_path / LISTS / "Validation_Set/video1.txt", HEADER, "6")
    frames = ("cropped_aligned/1-30-1280x720/00001", "cropped_aligned/1-30-1280x720/00002",
              "cropped_aligned/1-30-1280x720/00004", "cropped_aligned/1-30-1280x720/00005",
              "cropped_aligned/30-30-1920x1080_left/00001", "cropped_aligned_new_50_vids/video1/00001")  # fmt: skip
    for seed, name in enumerate(frames):
        image(tmp_path / f"{name}.jpg", seed=seed, side=112)
    return tmp_path


def test_a_frame_has_the_label_of_its_line(folder: Path) -> None:
    reading = SET.reading(folder)
    samples = reading.checked()
    assert samples.path.tolist() == [
        "cropped_aligned/1-30-1280x720/00001.jpg",
        "cropped_aligned/1-30-1280x720/00004.jpg",
        "cropped_aligned/30-30-1920x1080_left/00001.jpg",
        "cropped_aligned_new_50_vids/video1/00001.jpg",
    ]
    assert [samples.labels[i] for i in samples.label] == ["neutral", "other", "sadness", "surprise"]
    assert samples.split.tolist() == ["train", "train", "train", "test"]
    assert samples.group.tolist() == ["1-30-1280x720", "1-30-1280x720", "30-30-1920x1080", "video1"]
    assert samples.extra["frame"].tolist() == [1, 4, 1, 1]


def test_frames_that_fall_out_are_counted_and_no_problem(folder: Path) -> None:
    assert SET.reading(folder).notes == (
        "1 left out: a frame without annotation (-1)",
        "1 left out: an annotated frame in which no face was found: it has no image",
        "1 left out: an image of a frame that the annotation does not reach",
    )


def test_the_names_of_later_competitions_are_understood(folder: Path) -> None:
    (folder / LISTS).rename(folder / "Third ABAW Annotations/EXPR_Recognition_Challenge")
    assert len(SET.samples(folder)) == 4


def test_every_broken_list_is_named(folder: Path) -> None:
    text(folder / LISTS / "Train_Set/30-30-1920x1080_left.txt", HEADER, "8")
    text(folder / LISTS / "Train_Set/gone.txt", HEADER, "1")
    text(folder / LISTS / "Validation_Set/video1.txt", "6", "6")
    assert [(p.kind, p.where.rpartition("/")[2]) for p in SET.reading(folder).problems] == [
        ("unknown label", "30-30-1920x1080_left.txt:2"),
        ("missing image", "gone.txt"),
        ("wrong column", "video1.txt:1"),
    ]


def test_an_absent_split_is_a_note(folder: Path) -> None:
    (folder / "cropped_aligned_new_50_vids/video1/00001.jpg").unlink()
    reading = SET.reading(folder)
    assert reading.problems == ()
    assert reading.notes[-4] == "no image of the test split is there (1 listed); unpack it to have it"


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "cropped_aligned_new_50_vids/video1/00001.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="video1/00001.jpg"):
        SET.samples(folder).image(3)


def test_images_without_annotations_are_a_problem(tmp_path: Path) -> None:
    image(tmp_path / "cropped_aligned/video1/00001.jpg")
    assert [p.kind for p in SET.reading(tmp_path).problems] == ["missing file"]
