from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.errors import DataError
from tests.datasets.distributions import image, text

LIST = "EmoLabel/list_patition_label.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "RAF-DB" / "basic"
    text(top / LIST, "train_00001.jpg 5", "train_00002.jpg 4", "test_0001.jpg 1")
    for seed, stem in enumerate(("train_00001", "train_00002", "test_0001")):
        image(top / f"Image/aligned/{stem}_aligned.jpg", seed=seed, side=100)
    return top


def test_labels_count_from_one_and_names_say_the_split(folder: Path) -> None:
    samples = dataset_info("raf-db").samples(folder)
    assert [samples.labels[i] for i in samples.label] == ["sadness", "happiness", "surprise"]
    assert samples.split.tolist() == ["train", "train", "test"]
    assert samples.image(2).shape == (100, 100, 3)


def test_the_folder_above_will_do(folder: Path) -> None:
    assert len(dataset_info("raf-db").samples(folder.parent.parent)) == 3


def test_a_folder_without_the_list_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="list_patition_label.txt is not there; unpack"):
        dataset_info("raf-db").samples(tmp_path)


def test_every_broken_row_is_named_with_its_line_and_the_rest_is_kept(folder: Path) -> None:
    text(folder / LIST, "train_00001.jpg 5", "train_00002.jpg 9", "train_00003.jpg 1", "train_00001.jpg 5",
         "test_0001.jpg", "test_0001.jpg 1")  # fmt: skip
    reading = dataset_info("raf-db").reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("unknown label", f"{LIST}:2"),
        ("missing image", f"{LIST}:3"),
        ("duplicate", f"{LIST}:4"),
        ("wrong column", f"{LIST}:5"),
    ]
    assert len(reading.samples) == 2
    with pytest.raises(DataError, match="4 problems"):
        reading.checked()
    assert len(dataset_info("raf-db").samples(folder, skip_broken=True)) == 2


def test_original_images_bring_boxes_and_points_where_they_were_unpacked(folder: Path) -> None:
    for seed, stem in enumerate(("train_00001", "train_00002", "test_0001")):
        image(folder / f"Image/original/{stem}.jpg", seed=seed)
    text(folder / "Annotation/boundingbox/train_00001_boundingbox.txt", "10.5 20 110 120 ")
    text(folder / "Annotation/manual/train_00001_manu_attri.txt",
         "30.1\t40", "70\t41", "50\t60", "35\t80", "65\t81", "0", "2", "3")  # fmt: skip
    samples = dataset_info("raf-db").samples(folder, variant="original")
    assert samples.box[0].tolist() == [10.5, 20, 110, 120]
    np.testing.assert_allclose(samples.points[0], [[30.1, 40], [70, 41], [50, 60], [35, 80], [65, 81]], rtol=1e-6)
    assert np.isnan(samples.box[1]).all()
    text(folder / "Annotation/boundingbox/train_00002_boundingbox.txt", "10.5 20 110")
    (problem,) = dataset_info("raf-db").reading(folder, variant="original").problems
    assert (problem.kind, problem.where) == ("wrong column", "Annotation/boundingbox/train_00002_boundingbox.txt")
