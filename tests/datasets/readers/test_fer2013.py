from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, pixel_line, text

SET = dataset_info("fer2013")


def test_the_challenges_table(tmp_path: Path) -> None:
    lines = [
        pixel_line(emotion, usage) for emotion, usage in ((0, "Training"), (3, "PublicTest"), (6, "PrivateTest"))
    ]
    text(tmp_path / "fer2013/fer2013.csv", "emotion,pixels,Usage", *lines)
    samples = SET.samples(tmp_path)
    assert [samples.labels[i] for i in samples.label] == ["anger", "happiness", "neutral"]
    assert samples.split.tolist() == ["train", "valid", "test"]
    assert samples.image(2).shape == (48, 48, 3)


def test_other_columns_and_quotes_make_no_difference(tmp_path: Path) -> None:
    pixels = pixel_line(0, "").split(",")[1]
    (tmp_path / "icml_face_data.csv").write_bytes(f'emotion, Usage, pixels\r\n4,Training,"{pixels}"\r\n'.encode())
    samples = SET.samples(tmp_path)
    assert samples.path.tolist() == ["icml_face_data.csv#0"]
    assert samples.labels[samples.label[0]] == "sadness"
    assert samples.image(0)[0, 0, 0] == int(pixels.split()[0])


def test_folders_of_classes_keep_the_split_that_names_state(tmp_path: Path) -> None:
    for i, name in enumerate(
        ("train/angry/Training_1.jpg", "test/happy/PublicTest_2.jpg", "test/sad/PrivateTest_3.jpg")
    ):
        image(tmp_path / "archive" / name, seed=i)
    samples = SET.samples(tmp_path)
    assert sorted(zip(samples.split, [samples.labels[i] for i in samples.label], strict=True)) == [
        ("test", "sadness"),
        ("train", "anger"),
        ("valid", "happiness"),
    ]


def test_the_list_beside_the_folders_of_ferplus(tmp_path: Path) -> None:
    text(tmp_path / "fer2013_labels.csv", "split,image,fer2013_label", "Train,fer0000000.png,angry",
         "Valid,fer0000001.png,happy")  # fmt: skip
    image(tmp_path / "FER2013Train/fer0000000.png")
    image(tmp_path / "FER2013Valid/fer0000001.png")
    assert SET.samples(tmp_path).split.tolist() == ["train", "valid"]


def test_every_broken_row_of_the_table_is_named(tmp_path: Path) -> None:
    text(tmp_path / "fer2013.csv", "emotion,pixels,Usage", pixel_line(0, "Training"), pixel_line(7, "Training"),
         pixel_line(1, "Holdout"), "2,70 80 90", pixel_line(2, "PrivateTest"))  # fmt: skip
    reading = SET.reading(tmp_path)
    assert sorted((p.kind, p.where) for p in reading.problems) == [
        ("unknown label", "fer2013.csv:3"),
        ("wrong column", "fer2013.csv:4"),
        ("wrong column", "fer2013.csv:5"),
    ]
    assert reading.samples.path.tolist() == ["fer2013.csv#0", "fer2013.csv#4"]


def test_every_broken_row_of_the_list_is_named(tmp_path: Path) -> None:
    image(tmp_path / "FER2013Train/a.png")
    text(tmp_path / "fer2013_labels.csv", "split,image,fer2013_label", "Train,a.png,angry", "Train,b.png,angry",
         "Train,a.png,sad", "Train,a.png,bored", "Holdout,a.png,sad")  # fmt: skip
    assert [(p.kind, p.where) for p in SET.reading(tmp_path).problems] == [
        ("missing image", "fer2013_labels.csv:3"),
        ("duplicate", "fer2013_labels.csv:4"),
        ("unknown label", "fer2013_labels.csv:5"),
        ("wrong column", "fer2013_labels.csv:6"),
    ]


def test_a_folder_of_no_class_is_one_problem_and_an_absent_split_a_note(tmp_path: Path) -> None:
    for name in ("train/angry/a.jpg", "train/bored/b.jpg", "train/bored/c.jpg"):
        image(tmp_path / name)
    reading = SET.reading(tmp_path)
    assert [(p.kind, p.where) for p in reading.problems] == [("unknown label", "train/bored (2 images)")]
    assert len(reading.notes) == 2


def test_a_table_without_its_column_says_what_it_has(tmp_path: Path) -> None:
    text(tmp_path / "fer2013.csv", "emotion,pixels", "0,70 80")
    assert "column usage is missing; found emotion, pixels" in SET.reading(tmp_path).problems[0].what


@pytest.mark.parametrize(
    ("pixels", "reason"), [("70 80 90", "has 3 pixels"), ("70 80 x", "numbers from 0 to 255"), ("300", "0 to 255")]
)
def test_a_row_that_is_no_image_is_named(tmp_path: Path, pixels: str, reason: str) -> None:
    text(tmp_path / "fer2013.csv", "emotion,pixels,Usage", f"0,{pixels},Training")
    with pytest.raises(InputError, match=rf"fer2013.csv#0: .*{reason}"):
        SET.samples(tmp_path).image(0)


def test_a_table_inside_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "fer2013.zip", "w") as archive:
        archive.writestr("fer2013.csv", "emotion,pixels,Usage\n")
    assert SET.reading(tmp_path / "fer2013.zip").problems[0].remedy == "unpack fer2013.csv"


def test_nothing_of_the_set_is_a_problem(tmp_path: Path) -> None:
    assert [p.kind for p in SET.reading(tmp_path).problems] == ["missing file"]


def test_published_counts_are_the_challenges_sums() -> None:
    assert [sum(SET.published()[split].values()) for split in ("train", "valid", "test")] == [28709, 3589, 3589]


def test_the_real_labels_are_read(real: Callable[[str], Path]) -> None:
    reading = SET.reading(real("ferplus.zip"))
    assert reading.problems == ()
    assert len(reading.samples) == 32137
