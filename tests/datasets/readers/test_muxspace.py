from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, text

SET = dataset_info("muxspace")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text(tmp_path / "data/legend.csv", "user.id,image,emotion", "628,facial-expressions_2868584k.jpg,disgusted",
         "302,Aaron_Guiel_0001.jpg,HAPPINESS", "302,Abdul_Al-Hakim_0002.jpg,neutral")  # fmt: skip
    for seed, name in enumerate(("facial-expressions_2868584k", "Aaron_Guiel_0001", "Abdul_Al-Hakim_0002")):
        image(tmp_path / f"images/{name}.jpg", seed=seed)
    return tmp_path


def test_names_say_who_is_seen(folder: Path) -> None:
    samples = SET.samples(folder)
    assert samples.subject.tolist() == ["", "Aaron_Guiel", "Abdul_Al-Hakim"]
    assert [samples.labels[i] for i in samples.label] == ["disgust", "happiness", "neutral"]
    assert samples.extra["annotator"].tolist() == ["628", "302", "302"]
    assert samples.split.tolist() == ["", "", ""]


def test_the_reduced_copy_has_its_list_beside_the_images(folder: Path) -> None:
    (folder / "data/legend.csv").unlink()
    text(folder / "legend.csv", "image,emotion,width,height", "Aaron_Guiel_0001.jpg,happiness,350,350")
    assert SET.samples(folder).path.tolist() == ["images/Aaron_Guiel_0001.jpg"]


def test_every_broken_row_is_named(folder: Path) -> None:
    text(folder / "data/legend.csv", "user.id,image,emotion", "302,Aaron_Guiel_0001.jpg,HAPPINESS",
         "302,absent.jpg,anger", "302,Aaron_Guiel_0001.jpg,sad", "302,Aaron_Guiel_0001.jpg,bored",
         "302")  # fmt: skip
    assert [(p.kind, p.where) for p in SET.reading(folder).problems] == [
        ("missing image", "data/legend.csv:3"),
        ("duplicate", "data/legend.csv:4"),
        ("unknown label", "data/legend.csv:5"),
        ("wrong column", "data/legend.csv:6"),
    ]
    text(folder / "data/legend.csv", "user.id,photo,emotion")
    with pytest.raises(InputError, match="column image is missing; found user.id, photo, emotion"):
        SET.reading(folder)


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "images/Aaron_Guiel_0001.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="images/Aaron_Guiel_0001.jpg"):
        SET.samples(folder).image(1)


def test_images_without_the_list_are_a_problem(folder: Path) -> None:
    (folder / "data/legend.csv").unlink()
    assert [p.what for p in SET.reading(folder).problems] == ["legend.csv is not there"]


def test_the_real_set_is_read_whole(real: Callable[[str], Path]) -> None:
    reading = SET.reading(real("muxspace.zip"))
    assert reading.problems == ()
    counts = reading.samples.counts()[""]
    assert sum(counts.values()) == 12682
    assert (counts["neutral"], counts["contempt"], counts["fear"]) == (6700, 9, 0)
    assert len(set(reading.samples.subject)) == 5389
    assert reading.samples.image(0).ndim == 3
