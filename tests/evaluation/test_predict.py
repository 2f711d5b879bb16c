from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mien
from mien.datasets import dataset_info
from mien.datasets.samples import Samples
from mien.evaluation.corruptions import CORRUPTIONS
from mien.evaluation.predict import SamplePredictions, predict_samples
from tests.conftest import EXAMPLES
from tests.datasets.distributions import text


@pytest.fixture(scope="module")
def recognizer() -> mien.Recognizer:
    return mien.load(threads=1)


def predict(recognizer: mien.Recognizer, samples: Samples, *, detect: bool) -> SamplePredictions:
    return predict_samples([(np.arange(len(samples)), [recognizer])], samples, detect=detect)


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
    result = predict(recognizer, samples, detect=True)
    detected, given = result.clean[0], predict(recognizer, samples, detect=False).clean[0]
    assert not result.unread
    assert detected[0].argmax() == given[0].argmax() == recognizer.labels.index("happiness")
    assert np.abs(detected[:2] - given[:2]).max() < 0.5
    assert not detected[2].any()  # nobody is there
    assert given[2].sum() == pytest.approx(1)


def test_an_image_that_cannot_be_read_is_named_and_has_no_prediction(
    recognizer: mien.Recognizer, two_faces: Path
) -> None:
    samples = dataset_info("csv").samples(two_faces)
    (two_faces / "both.png").write_bytes(b"no image")
    result = predict(recognizer, samples, detect=True)
    assert not result.clean[0].any()
    assert len(result.unread) == 3
    assert "both.png" in result.unread[0]


def test_each_run_predicts_its_own_rows(recognizer: mien.Recognizer, two_faces: Path) -> None:
    samples = dataset_info("csv").samples(two_faces)
    seen: list[tuple[int, int | None]] = []
    runs = [(np.array([2, 0]), [recognizer]), (np.array([1]), [recognizer])]
    result = predict_samples(runs, samples, detect=False, progress=lambda done, total: seen.append((done, total)))
    assert np.array_equal(result.clean[0], predict(recognizer, samples, detect=False).clean[0])
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_corrupted_images_are_predicted_like_the_clean_ones(recognizer: mien.Recognizer, two_faces: Path) -> None:
    samples = dataset_info("csv").samples(two_faces)
    versions = [
        (CORRUPTIONS["rotation"], "10°"),
        (CORRUPTIONS["grey"], "grey"),
        (CORRUPTIONS["blur"], "4% of face"),
    ]
    both = [(np.arange(3), [recognizer, recognizer])]
    result = predict_samples(both, samples, versions, detect=True, workers=1)
    assert np.array_equal(result.clean[0], predict(recognizer, samples, detect=True).clean[0])
    assert np.array_equal(result.corrupted[0], result.corrupted[1])
    assert result.altered.all()
    assert result.corrupted[0].shape == (3, 3, len(recognizer.labels))
    happy = recognizer.labels.index("happiness")
    # rotated about her own face, detected in her box
    assert (result.corrupted[0][:2, 0].argmax(axis=1) == happy).all()
    assert np.isfinite(result.yaw_deg).tolist() == [True, True, False]
    (two_faces / "both.png").write_bytes(b"no image")
    lost = predict_samples([(np.arange(3), [recognizer])], samples, versions, detect=True)
    assert len(lost.unread) == 3
    assert not lost.corrupted[0].any()
