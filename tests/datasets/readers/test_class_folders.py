from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, text

CAER_S, SFEW = dataset_info("caer-s"), dataset_info("sfew")


@pytest.fixture
def caer_s(tmp_path: Path) -> Path:
    for seed, name in enumerate(("train/Anger/0001.png", "train/Sad/0001.png", "test/Surprise/0001.png")):
        image(tmp_path / "CAER-S" / name, seed=seed)
    (tmp_path / "CAER-S/train/Sad/Thumbs.db").write_bytes(b"")
    return tmp_path


@pytest.fixture
def sfew(tmp_path: Path) -> Path:
    names = (
        "Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png",
        "Train/Angry/Airheads_000519240_00000005.png",
        "Val/Val_Aligned_Faces_new/Happy/About_A_Boy_001022000_00000017.png",
        "Test/Test_Aligned_Faces/00001.png",
    )
    for seed, name in enumerate(names):
        image(tmp_path / name, seed=seed)
    return tmp_path


def test_caer_s_folders_are_classes(caer_s: Path) -> None:
    samples = CAER_S.samples(caer_s)
    assert sorted(zip(samples.path, samples.split, samples.label, strict=True)) == [
        ("test/Surprise/0001.png", "test", 6),
        ("train/Anger/0001.png", "train", 0),
        ("train/Sad/0001.png", "train", 5),
    ]


def test_a_folder_of_no_class_is_one_problem(caer_s: Path) -> None:
    image(caer_s / "CAER-S/train/Bored/0001.png")
    image(caer_s / "CAER-S/train/Contempt/0001.png")
    assert [(p.kind, p.where) for p in CAER_S.reading(caer_s).problems] == [
        ("unknown label", "train/Bored (1 images)"),
        ("unknown label", "train/Contempt (1 images)"),
    ]


def test_an_absent_split_is_a_note(caer_s: Path) -> None:
    (caer_s / "CAER-S/test/Surprise/0001.png").unlink()
    reading = CAER_S.reading(caer_s)
    assert reading.problems == ()
    assert reading.notes == ("no image of the test split is there; unpack it to have it",)


@pytest.mark.parametrize("name", ["caer-s", "sfew"])
def test_nothing_of_the_set_is_a_problem(name: str, tmp_path: Path) -> None:
    (problem,) = dataset_info(name).reading(tmp_path).problems
    assert problem.kind == "missing file"


def test_sfew_faces_know_their_film_and_val_is_what_is_reported_on(sfew: Path) -> None:
    reading = SFEW.reading(sfew)
    samples = reading.checked()
    assert samples.split.tolist() == ["train", "test"]
    assert samples.group.tolist() == ["Airheads", "About_A_Boy"]
    assert [samples.labels[i] for i in samples.label] == ["anger", "happiness"]
    assert reading.notes == ("1 left out: the test part, whose labels are not published",)


def test_sfew_faces_in_one_folder_beside_a_table(tmp_path: Path) -> None:
    names = ("images/train_angry_Airheads_1_2.jpg", "images/val_happy_Babel_1_2.jpg")
    for seed, name in enumerate(names):
        image(tmp_path / name, seed=seed)
    text(
        tmp_path / "labels.csv",
        "path,label,subject,split",
        f"{names[0]},anger,Airheads,train",
        f"{names[1]},happiness,Babel,val",
        f"{names[1]},happiness,Babel,film",
    )
    reading = SFEW.reading(tmp_path)
    assert reading.samples.split.tolist() == ["train", "test"]
    assert reading.samples.group.tolist() == ["Airheads", "Babel"]
    assert [problem.where for problem in reading.problems] == ["labels.csv:4"]


def test_sfew_original_frames_are_another_variant(sfew: Path) -> None:
    assert SFEW.samples(sfew, variant="original").path.tolist() == ["Train/Angry/Airheads_000519240_00000005.png"]


def test_sfew_unpacked_twice_is_a_duplicate(sfew: Path) -> None:
    image(sfew / "Val/Val_Aligned_Faces/Happy/About_A_Boy_001022000_00000017.png")
    assert [p.kind for p in SFEW.reading(sfew).problems] == ["duplicate"]


def test_an_unreadable_image_is_named(caer_s: Path) -> None:
    (caer_s / "CAER-S/train/Anger/0001.png").write_bytes(b"nothing")
    samples = CAER_S.samples(caer_s)
    with pytest.raises(InputError, match="train/Anger/0001.png"):
        samples.image(samples.path.tolist().index("train/Anger/0001.png"))
