from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mien
from mien.datasets import dataset_info
from mien.evaluation.corruptions import CORRUPTIONS
from mien.evaluation.predict import answer
from mien.evaluation.predict_corrupted import predict_corrupted
from tests.conftest import EXAMPLES
from tests.datasets.distributions import text


@pytest.fixture(scope="module")
def recognizer() -> mien.Recognizer:
    return mien.load(threads=1)


@pytest.fixture
def two_faces(tmp_path: Path) -> Path:
    """The astronaut beside Grace Hopper, each with a box, and a box around nobody."""
    from PIL import Image

    with Image.open(EXAMPLES / "astronaut.jpg") as left, Image.open(EXAMPLES / "grace_hopper.jpg") as right:
        both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
        both.paste(left, (0, 0))
        both.paste(right, (left.width, 0))
    both.save(tmp_path / "both.png")
    shift = left.width
    boxes = ["180,60,270,180", f"{shift + 180},90,{shift + 330},290"]
    text(
        tmp_path / "labels.csv", "path,label,left,top,right,bottom", f"both.png,happy,{boxes[0]}",
        f"both.png,neutral,{boxes[1]}", "both.png,fear,0,400,60,460",
    )  # fmt: skip
    return tmp_path


def test_every_box_gets_its_own_face(recognizer: mien.Recognizer, two_faces: Path) -> None:
    samples = dataset_info("csv").samples(two_faces)
    searched, unread = answer(recognizer, samples, search=True)
    given, _ = answer(recognizer, samples, search=False)
    assert not unread
    assert searched[0].argmax() == given[0].argmax() == recognizer.labels.index("happiness")
    assert np.abs(searched[:2] - given[:2]).max() < 0.5
    assert not searched[2].any()  # nobody is there
    assert given[2].sum() == pytest.approx(1)


def test_an_image_that_cannot_be_read_is_named_and_has_no_answer(
    recognizer: mien.Recognizer, two_faces: Path
) -> None:
    samples = dataset_info("csv").samples(two_faces)
    (two_faces / "both.png").write_bytes(b"no image")
    found, unread = answer(recognizer, samples, search=True)
    assert not found.any()
    assert len(unread) == 3
    assert "both.png" in unread[0]


def test_spoiled_images_are_read_like_the_clean_ones(recognizer: mien.Recognizer, two_faces: Path) -> None:
    samples = dataset_info("csv").samples(two_faces)
    versions = [
        (CORRUPTIONS["rotation"], "10°"),
        (CORRUPTIONS["grey"], "grey"),
        (CORRUPTIONS["blur"], "4% of face"),
    ]
    said = predict_corrupted([recognizer, recognizer], samples, versions, search=True, jobs=1)
    clean, _ = answer(recognizer, samples, search=True)
    assert np.array_equal(said.clean[0], clean)
    assert np.array_equal(said.versions[0], said.versions[1])
    assert said.altered.all()
    assert said.versions[0].shape == (3, 3, len(recognizer.labels))
    happy = recognizer.labels.index("happiness")
    assert (said.versions[0][:2, 0].argmax(axis=1) == happy).all()  # turned about her own face, found in her box
    assert np.isfinite(said.yaw_deg).tolist() == [True, True, False]
    (two_faces / "both.png").write_bytes(b"no image")
    lost = predict_corrupted([recognizer], samples, versions, search=True)
    assert len(lost.unread) == 3
    assert not lost.versions[0].any()
