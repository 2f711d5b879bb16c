from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import InputError
from tests.datasets.distributions import image, text

SET = dataset_info("expw")
GOOD = (
    "angry_actor_1.jpg 0 28 113 226 141 22.9 0",
    "angry_actor_1.jpg 1 30 5 60 70 8.5 3",
    "my face.jpg 0 1 2 30 40 9 6",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text(tmp_path / "data/label/label.lst", *GOOD)
    for seed, name in enumerate(("angry_actor_1.jpg", "my face.jpg")):
        image(tmp_path / "data/image/origin" / name, seed=seed, side=230)
    return tmp_path


def test_each_face_of_a_photo_is_a_row_with_its_box(folder: Path) -> None:
    samples = SET.samples(folder)
    assert samples.path.tolist() == ["image/origin/angry_actor_1.jpg"] * 2 + ["image/origin/my face.jpg"]
    assert [samples.labels[i] for i in samples.label] == ["anger", "happiness", "neutral"]
    assert samples.box[0].tolist() == [113, 28, 226, 141]
    assert samples.group.tolist() == ["angry_actor_1.jpg"] * 2 + ["my face.jpg"]
    assert samples.extra["face"].tolist() == [0, 1, 0]
    assert samples.extra["face_score"].tolist() == [22.9, 8.5, 9]
    assert samples.image(1).shape == (230, 230, 3)


def test_every_broken_line_is_named(folder: Path) -> None:
    text(folder / "data/label/label.lst", *GOOD,
         "absent.jpg 0 28 113 226 141 22.9 0",
         GOOD[1],
         "my face.jpg 1 28 113 226 141 22.9 7",
         "my face.jpg 2 28 113 226",
         "my face.jpg 3 141 226 113 28 22.9 1",
         "my face.jpg 3 nan 113 226 inf 22.9 1")  # fmt: skip
    assert [(p.kind, p.where) for p in SET.reading(folder).problems] == [
        ("missing image", "label/label.lst:4"),
        ("duplicate", "label/label.lst:5"),
        ("unknown label", "label/label.lst:6"),
        ("wrong column", "label/label.lst:7"),
        ("wrong column", "label/label.lst:8"),
        ("wrong column", "label/label.lst:9"),
    ]


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "data/image/origin/my face.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="image/origin/my face.jpg"):
        SET.samples(folder).image(2)


def test_images_without_the_list_are_a_problem(folder: Path) -> None:
    (folder / "data/label/label.lst").unlink()
    assert [p.what for p in SET.reading(folder).problems] == ["label.lst is not there"]
