from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import DataError, InputError, UnknownNameError
from tests.datasets.distributions import image_bytes, images, text

FOLDER = dataset_info("folder")


def classes(folder: Path, variant: str = "") -> list[str]:
    samples = FOLDER.samples(folder, variant=variant)
    return [str(samples.labels[i]) for i in samples.label]


def test_folders_say_class_and_split(tmp_path: Path) -> None:
    images(tmp_path, "Train/Happy/1.jpg", "Train/sad/2.jpg", "val/anger/3.jpg", "testing/fearful/4.jpg")
    samples = FOLDER.samples(tmp_path)
    assert [samples.labels[i] for i in samples.label] == ["happiness", "sadness", "fear", "anger"]
    assert samples.split.tolist() == ["train", "train", "test", "valid"]
    assert samples.image(0).shape == (48, 48, 3)


def test_the_split_nearest_to_the_class_counts(tmp_path: Path) -> None:
    images(tmp_path, "test/run/train/happy/1.jpg")
    assert FOLDER.samples(tmp_path).split.tolist() == ["train"]


def test_splits_are_not_needed_and_folders_below_a_class_belong_to_it(tmp_path: Path) -> None:
    images(tmp_path, "faces/happy/anna/1.jpg", "faces/contempt/2.jpg")
    text(tmp_path / "faces/notes.txt", "hello")
    assert classes(tmp_path) == ["contempt", "happiness"]
    assert FOLDER.samples(tmp_path).splits == []


@pytest.mark.parametrize(
    ("variant", "number", "label"),
    [("raf-db", "1", "surprise"), ("raf-db", "7", "neutral"), ("affectnet-8", "0", "neutral")],
)
def test_numbers_follow_the_order_that_is_named(tmp_path: Path, variant: str, number: str, label: str) -> None:
    images(tmp_path, f"train/{number}/1.jpg")
    assert classes(tmp_path, variant) == [label]


@pytest.mark.parametrize(
    ("variant", "folder", "remedy"),
    [
        ("", "3", "numbers need an order of classes: choose the variant aff-wild2, .* raf-db"),
        ("raf-db", "0", "raf-db numbers its classes 1 to 7"),
        ("ferplus", "selfies", "the classes of ferplus are neutral, .*; without a variant, every name is a class"),
        ("ferplus", "sadd", "did you mean 'sad'"),
        ("raf-db", "contempt", "the variant raf-db has no contempt; ferplus, affectnet-8, ck.* has"),
        ("ferplus", "scream", "the variant ferplus has no scream; multi-pie has"),
    ],
)
def test_a_folder_that_is_no_class_is_one_problem(tmp_path: Path, variant: str, folder: str, remedy: str) -> None:
    images(tmp_path, "train/happy/1.jpg", f"train/{folder}/2.jpg", f"train/{folder}/3.jpg")
    reading = FOLDER.reading(tmp_path, variant=variant)
    assert [(p.kind, p.where) for p in reading.problems] == [("unknown label", f"train/{folder}")]
    assert len(reading.samples) == 1
    with pytest.raises(DataError, match=f"2 images in a folder that is no class; {remedy}"):
        reading.checked()


def test_folders_of_other_names_are_classes_of_ones_own(tmp_path: Path) -> None:
    images(tmp_path, "train/happy/ann/1.jpg", "train/Bored/ben/2.jpg", "test/scream/3.jpg", "test/sadd/4.jpg")
    reading = FOLDER.reading(tmp_path)
    assert reading.samples.labels == ("happiness", "bored", "sadd", "scream")
    assert classes(tmp_path) == ["sadd", "scream", "bored", "happiness"]
    assert reading.samples.split.tolist() == ["test", "test", "train", "train"]
    assert reading.problems == ()
    assert reading.notes == (
        "classes beyond the eight of FER+: bored, sadd (did you mean 'sad'), scream",
        "folders that are neither class nor split are ignored, for example train/Bored/ben",
    )


def test_a_set_of_nothing_but_classes_of_ones_own(tmp_path: Path) -> None:
    images(tmp_path, "data/train/bored/1.jpg", "data/train/confused/2.jpg", "data/val/bored/3.jpg", "data/4.jpg")
    reading = FOLDER.reading(tmp_path)
    assert reading.samples.labels == ("bored", "confused")
    assert reading.samples.split.tolist() == ["train", "train", "valid"]
    assert [problem.where for problem in reading.problems] == ["data"]


def test_splits_stand_above_or_below_the_class_in_their_usual_spellings(tmp_path: Path) -> None:
    images(tmp_path, "happy/train_set/1.jpg", "happy/Validation/2.jpg", "sad/TEST/3.jpg", "sad/dev-data/4.jpg")
    assert FOLDER.samples(tmp_path).split.tolist() == ["valid", "train", "test", "valid"]


@pytest.mark.parametrize(
    ("word", "split"),
    [("eval", "valid"), ("Evaluation", "valid"), ("public_test", "valid"), ("Private Test", "test"),
     ("hold-out", "test"), ("TRAIN2", "train"), ("valid_1", "valid"), ("tst", "test"), ("train-images", "train"),
     ("01_train", "train"), ("Test (1)", "test"), ("val2017", "valid")],
)  # fmt: skip
def test_further_spellings_of_splits(tmp_path: Path, word: str, split: str) -> None:
    images(tmp_path, f"{word}/happy/1.jpg", f"{word}/sad/2.jpg")
    assert FOLDER.samples(tmp_path).split.tolist() == [split] * 2


def test_splits_in_the_names_of_files_are_noted(tmp_path: Path) -> None:
    images(tmp_path, "happy/train_1.jpg", "happy/test_0002.jpg", "sad/train_3.jpg")
    (note,) = FOLDER.reading(tmp_path).notes
    assert note.startswith("names of files say test and train, which does not count: name folders so")
    images(tmp_path / "none", "happy/tested.jpg", "happy/trainer.jpg", "sad/test_3.jpg")
    assert not FOLDER.reading(tmp_path / "none").notes


def test_images_in_two_splits_or_beside_the_splits_are_noted(tmp_path: Path) -> None:
    images(tmp_path, "train/happy/test/1.jpg", "train/sad/2.jpg", "fold3/sad/3.jpg", "fold3/happy/4.jpg")
    notes = FOLDER.reading(tmp_path).notes
    assert (
        "folders of two splits, the nearest to the class counts: 1 image, for example train/happy/test/1.jpg"
        in notes
    )
    assert "beside the splits lie images in none: 2 images, for example fold3/happy/4.jpg" in notes
    images(tmp_path / "none", "fold3/sad/3.jpg", "fold4/sad/3.jpg")
    assert not any("splits" in note for note in FOLDER.reading(tmp_path / "none").notes)


def test_images_outside_of_every_folder_are_named(tmp_path: Path) -> None:
    images(tmp_path, "1.jpg")
    with pytest.raises(DataError, match="1 image in no folder; put it into the folder of its class"):
        FOLDER.samples(tmp_path)


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image; give a folder with one folder per class"):
        FOLDER.samples(tmp_path)


def test_a_zip_is_read_in_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("data/train/happy/1.png", image_bytes())
    samples = FOLDER.samples(tmp_path / "set.zip")
    assert samples.split.tolist() == ["train"]
    assert samples.image(0).shape == (48, 48, 3)


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    text(tmp_path / "happy/1.jpg", "<html>")
    with pytest.raises(InputError, match=r"happy/1\.jpg: holds a web page"):
        FOLDER.samples(tmp_path).image(0)


def test_an_unknown_order_is_refused_with_the_nearest_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'raf-db'"):
        FOLDER.samples(tmp_path, variant="rafdb")


def test_folders_without_an_image_are_noted(tmp_path: Path) -> None:
    images(tmp_path / "set", "train/happy/1.jpg", "train/sad/2.jpg")
    (tmp_path / "set/train/fear").mkdir()
    (tmp_path / "set/valid/anger").mkdir(parents=True)
    text(tmp_path / "set/train/disgust/notes.txt", "to do")
    (tmp_path / "set/.git/objects").mkdir(parents=True)
    note = "folders without an image: train/disgust, train/fear, valid/anger"
    assert note in FOLDER.reading(tmp_path / "set").notes
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("happy/1.jpg", image_bytes())
        archive.writestr("sad/2.jpg", image_bytes())
        archive.mkdir("fear")
    assert "folders without an image: fear" in FOLDER.reading(tmp_path / "set.zip").notes
    (tmp_path / "full/happy").mkdir(parents=True)
    images(tmp_path / "full", "happy/1.jpg")
    assert not any("without an image" in note for note in FOLDER.reading(tmp_path / "full").notes)
