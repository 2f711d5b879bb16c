from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import DataError, InputError
from tests.datasets.distributions import image, images, text

JAFFE = dataset_info("jaffe")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(tmp_path / "jaffedbase", "KA.AN1.39.tiff", "KA.NE1.26.tiff", "YM.SU3.60.tiff", side=64)
    text(tmp_path / "jaffedbase/README", "Semantic ratings")
    return tmp_path


def test_the_name_says_subject_and_expression(folder: Path) -> None:
    samples = JAFFE.samples(folder)
    assert samples.path.tolist() == ["KA.AN1.39.tiff", "KA.NE1.26.tiff", "YM.SU3.60.tiff"]
    assert [samples.labels[i] for i in samples.label] == ["anger", "neutral", "surprise"]
    assert samples.subject.tolist() == ["KA", "KA", "YM"]
    assert samples.splits == []
    assert samples.image(0).shape == (64, 64, 3)


def test_the_rows_are_the_same_from_the_folder_and_from_above(folder: Path) -> None:
    assert JAFFE.samples(folder).fingerprint() == JAFFE.samples(folder / "jaffedbase").fingerprint()


def test_strange_names_codes_and_copies_are_problems(folder: Path) -> None:
    top = folder / "jaffedbase"
    images(top, "KA.XX1.40.tiff", "ZZ.AN1.41.tiff", "copy/KA.AN1.39.tiff")
    reading = JAFFE.reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("misnamed", "ZZ.AN1.41.tiff"),
        ("duplicate", "copy/KA.AN1.39.tiff"),
        ("unknown label", "KA.XX1.40.tiff"),
    ]
    assert len(reading.samples) == 3


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "jaffedbase/KA.AN1.39.tiff").write_bytes(b"II*\0 no more")
    with pytest.raises(InputError, match=r"KA\.AN1\.39\.tiff"):
        JAFFE.samples(folder).image(0)


def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path: Path) -> None:
    image(tmp_path / "holiday.jpg")
    with pytest.raises(DataError, match=r"no image like KA\.AN1\.39\.tiff is there"):
        JAFFE.samples(tmp_path)


def test_the_published_counts_add_up() -> None:
    assert sum(JAFFE.expected[""][""].values()) == 213


def test_the_address_is_that_of_the_authors_record() -> None:
    assert dataset_info("jaffe").obtain.startswith("https://zenodo.org/records/3451524")
