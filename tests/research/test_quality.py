"""Thresholds and limits that the scripts choose, where the right choice is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from research.fer import quality_flags
from research.fer.corruptions import CORRUPTIONS
from research.held_out import person_of

from mien.evaluation.corruptions import FaceRegion, corrupt


def faces(eye_px: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    count = len(eye_px)
    corruption = np.where(np.arange(count) < count // 2, "shrink", "")
    table = pd.DataFrame(dict.fromkeys(quality_flags.MEASURES, np.full(count, 0.5)))
    words = {"weights": "x", "set": "x", "name": "x", "person": [str(i) for i in range(count)]}
    return table.assign(**words, corruption=corruption, eye_px=eye_px, correct=correct, clean_correct=1.0)


def test_the_limit_stands_where_accuracy_has_fallen() -> None:
    eye_px = np.linspace(1, 100, 1000)
    limit = quality_flags.limit(faces(eye_px, (eye_px > 30).astype(float)), "small")
    assert limit == pytest.approx((30, 51.0), abs=0.2)
    assert quality_flags.limit(faces(eye_px, np.ones(1000)), "small")[0] == -np.inf


def test_images_of_one_person_have_one_name() -> None:
    assert person_of("images/Tony_Blair_0001.jpg") == person_of("images/Tony_Blair_0114.jpg") == "Tony_Blair"
    assert person_of("images/Avinash_1.jpg") == "Avinash"


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_changes_an_image_more(name: str) -> None:
    patches = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(patches).resize((64, 64), Image.Resampling.BICUBIC))
    region, changed = FaceRegion(centre=(32, 32), side_px=57), []
    for severity, value in CORRUPTIONS[name].severities.items():
        worse = corrupt(image, CORRUPTIONS[name], severity, region=region, name="face.png")
        assert worse.dtype == np.uint8
        if name == "shrink":
            changed.append(-float(worse.shape[0]))
            assert worse.shape[0] == round(64 * min(1, value / 57))
        else:
            assert worse.shape == image.shape
            changed.append(float(np.abs(worse.astype(float) - image).mean()))
    assert changed == sorted(changed)
