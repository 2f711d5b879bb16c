from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import images

KDEF = dataset_info("kdef")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(
        tmp_path / "KDEF_and_AKDEF",
        "KDEF/AF01/AF01AFFL.JPG",
        "KDEF/AF01/AF01ANHL.JPG",
        "KDEF/AF01/AF01NES.JPG",
        "KDEF/BF01/BF01SUHR.JPG",
        "KDEF/BM35/BM35HAFR.JPG",
        "AKDEF/FAFFL.JPG",
    )
    return tmp_path


def test_both_sessions_show_the_same_person(folder: Path) -> None:
    samples = KDEF.samples(folder)
    assert samples.subject.tolist() == ["F01", "F01", "F01", "F01", "M35"]
    assert samples.extra["session"].tolist() == ["A", "A", "A", "B", "B"]
    assert [samples.labels[i] for i in samples.label] == ["fear", "anger", "neutral", "surprise", "happiness"]


def test_left_profiles_have_negative_yaw(folder: Path) -> None:
    samples = KDEF.samples(folder)
    assert samples.yaw_deg.tolist() == [-90, -45, 0, 45, 90]
    assert samples.pitch_deg.tolist() == [0] * 5


def test_names_cut_short_in_the_distribution_are_understood(folder: Path) -> None:
    images(folder / "KDEF_and_AKDEF/KDEF", "AF31/AF31V.JPG", "AM31/AM31H.JPG")
    samples = KDEF.samples(folder)
    found = dict(zip(samples.path, samples.label, strict=True))
    assert samples.labels[found["AF31/AF31V.JPG"]] == "sadness"
    assert samples.labels[found["AM31/AM31H.JPG"]] == "surprise"


def test_a_cut_name_beside_the_whole_one_is_a_copy(folder: Path) -> None:
    images(folder / "KDEF_and_AKDEF/KDEF", "AF31/AF31SAHL.JPG", "AF31/AF31V.JPG")
    assert [(p.kind, p.where) for p in KDEF.reading(folder).problems] == [("duplicate", "AF31/AF31V.JPG")]


def test_strange_names_codes_and_copies_are_problems(folder: Path) -> None:
    images(
        folder / "KDEF_and_AKDEF/KDEF",
        "AF01/AF01XXS.JPG",
        "AF01/AF36HAS.JPG",
        "AF01/AF01HAQL.JPG",
        "copy/AF01NES.JPG",
    )
    reading = KDEF.reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("misnamed", "AF01/AF01HAQL.JPG"),
        ("misnamed", "AF01/AF36HAS.JPG"),
        ("duplicate", "copy/AF01NES.JPG"),
        ("unknown label", "AF01/AF01XXS.JPG"),
    ]
    assert len(reading.samples) == 5


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "KDEF_and_AKDEF/KDEF/AF01/AF01AFFL.JPG").write_bytes(b"\xff\xd8 cut")
    with pytest.raises(InputError, match=r"AF01AFFL\.JPG"):
        KDEF.samples(folder).image(0)
