"""The limits and thresholds that recipes choose, where the right choice is known."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")


@pytest.fixture
def calibrate() -> Any:
    return import_module("research.default.calibrate")


@pytest.fixture
def quality() -> Any:
    return import_module("research.default.quality_flags")


def two_classes(confidence: list[float]) -> np.ndarray:
    """Probabilities (N, 2) that answer class 0."""
    return np.array([[value, 1 - value] for value in confidence])


def test_the_threshold_is_the_smallest_that_keeps_enough_right(calibrate: Any) -> None:
    probabilities = two_classes([0.55, 0.65, 0.75, 0.85, 0.95])
    truth = np.array([1, 1, 0, 0, 0])
    assert calibrate.threshold(probabilities, truth, 0.6) == 0.0
    assert calibrate.threshold(probabilities, truth, 0.75) == 0.56
    assert calibrate.threshold(probabilities, truth, 0.9) == 0.66
    assert calibrate.threshold(probabilities, np.ones(5, dtype=int), 0.5) == 1.0


def test_what_a_threshold_gives_is_counted(calibrate: Any) -> None:
    probabilities, truth = two_classes([0.55, 0.65, 0.75, 0.85]), np.array([1, 0, 1, 0])
    found = calibrate.kept_above(0.7, probabilities, truth, np.array(["a", "b", "c", "d"]))
    assert (found["images"], found["coverage"], found["accuracy"], found["accuracy of the others"]) == (
        4,
        0.5,
        0.5,
        0.5,
    )
    assert (
        calibrate.kept_above(0.0, probabilities, truth, np.array(["a", "b", "c", "d"]))["accuracy of the others"]
        is None
    )


def test_calibration_error_by_hand(calibrate: Any) -> None:
    error, loss = calibrate.judged(two_classes([0.9, 0.9]), np.array([0, 1]), np.array([3.0, 1.0]))
    assert error == pytest.approx(0.9 - 0.75)
    assert loss == pytest.approx(-(3 * np.log(0.9) + np.log(0.1)) / 4)


def faces(quality: Any, eye_px: np.ndarray, right: np.ndarray) -> Any:
    count = len(eye_px)
    words = {name: np.full(count, "x") for name in ("weights", "set", "name")}
    words["corrupted"] = np.where(np.arange(count) < count // 2, "smaller", "")
    measures = {name: np.full(count, 0.5) for name in quality.MEASURES}
    person = np.array([str(i) for i in range(count)])
    return quality.Faces(
        words | measures | {"person": person, "eye_px": eye_px, "right": right, "before": np.ones(count)}
    )


def test_the_limit_stands_where_accuracy_has_fallen(quality: Any) -> None:
    eye_px = np.linspace(1, 100, 1000)
    right = (eye_px > 30).astype(float)
    assert quality.limit(faces(quality, eye_px, right), "small") == pytest.approx((30, 51.0), abs=0.2)
    assert quality.limit(faces(quality, eye_px, np.ones(1000)), "small")[0] == -np.inf


def test_halves_are_the_same_everywhere_and_keep_people_together(quality: Any) -> None:
    people = tuple(f"person {i // 3}" for i in range(3000))
    half = quality.first_half(people)
    assert 0.45 < half.mean() < 0.55
    assert (half.reshape(-1, 3) == half[::3, None]).all()
    assert quality.first_half(("Tony_Blair",)).tolist() == [True]


def test_more_of_a_spoiler_changes_an_image_more(quality: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for way, (spoiler, amounts) in quality.SPOILERS.items():
        changed = []
        for amount in amounts:
            worse = spoiler(image, amount, 20.0, np.random.default_rng(0))
            assert worse.dtype == np.uint8
            if way == "smaller":
                changed.append(-float(worse.shape[0]))
                assert worse.shape[0] == round(64 * min(1, amount / 20))
            else:
                assert worse.shape == image.shape
                changed.append(float(np.abs(worse.astype(float) - image).mean()))
        assert changed == sorted(changed), way
