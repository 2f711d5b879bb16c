from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import images

FERG = dataset_info("ferg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(
        tmp_path / "FERG_DB_256",
        "aia/aia_anger/aia_anger_1.png",
        "aia/aia_joy/aia_joy_12.png",
        "ray/ray_surprise/ray_surprise_3.png",
    )
    return tmp_path


def test_joy_is_happiness_and_the_character_is_the_subject(folder: Path) -> None:
    samples = FERG.samples(folder)
    assert [samples.labels[i] for i in samples.label] == ["anger", "happiness", "surprise"]
    assert samples.subject.tolist() == ["aia", "aia", "ray"]
    assert samples.image(1).shape == (48, 48, 3)


def test_strange_characters_expressions_and_copies_are_problems(folder: Path) -> None:
    images(
        folder / "FERG_DB_256",
        "bob/bob_joy/bob_joy_1.png",
        "aia/aia_awe/aia_awe_1.png",
        "aia/aia_joy/aia_anger_9.png",
        "copy/aia/aia_anger/aia_anger_1.png",
    )
    reading = FERG.reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("misnamed", "aia/aia_joy/aia_anger_9.png"),
        ("misnamed", "bob/bob_joy/bob_joy_1.png"),
        ("duplicate", "copy/aia/aia_anger/aia_anger_1.png"),
        ("unknown label", "aia/aia_awe/aia_awe_1.png"),
    ]
    assert len(reading.samples) == 3


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "FERG_DB_256/aia/aia_joy/aia_joy_12.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"aia_joy_12\.png"):
        FERG.samples(folder).image(1)


def test_the_published_counts_add_up() -> None:
    assert sum(FERG.expected[""][""].values()) == 55767
