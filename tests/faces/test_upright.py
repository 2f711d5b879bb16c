"""Which way is up, by the roll network and the detectors."""

from __future__ import annotations

import numpy as np
import pytest

from mien.faces.roll import BINS, quarters, up_deg
from mien.geometry import Box, quarter_turn, transform, transform_box
from mien.pipeline.detectors import detector_called, upright_measure
from mien.pipeline.loading import default_landmarker


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_landmarks_that_are_right_have_a_margin_and_turned_ones_have_none(
    name: str, request: pytest.FixtureRequest
) -> None:
    image = request.getfixturevalue(name)
    measure, landmarker = upright_measure(), default_landmarker(threads=1)
    (face,) = detector_called(threads=1).detect(image)
    landmarks = landmarker.locate(image, [face.box])
    for turns in range(4):
        matrix = quarter_turn(turns, image.shape[1], image.shape[0])
        rotated, box = np.ascontiguousarray(np.rot90(image, turns)), transform_box(matrix, face.box)
        rolls = measure.rolls(rotated, [box])
        assert measure.margins(rotated, rolls, transform(matrix, landmarks))[0] > 0.7
        for wrong in range(1, 4):
            turned = transform(matrix, _turned(landmarks, wrong, np.array(face.box.centre)))
            assert measure.margins(rotated, rolls, turned)[0] < 0
    assert len(measure.margins(image, measure.rolls(image, []), np.zeros((0, 68, 2)))) == 0


def _turned(points: np.ndarray, quarter_turns: int, middle: np.ndarray) -> np.ndarray:
    angle = np.pi / 2 * quarter_turns
    return (points - middle) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + middle


def test_nothing_to_see_has_no_clear_direction() -> None:
    rolls = upright_measure().rolls(np.full((90, 90, 3), 128, np.uint8), [Box(20, 20, 70, 70)])
    assert rolls.shape == (1, BINS)
    assert rolls.sum() == pytest.approx(1)
    assert rolls.max() < 0.5


def test_quarters_count_what_lies_within_half_of_a_right_angle() -> None:
    rolls = np.zeros((2, BINS))
    rolls[0, 6] = rolls[1, 23] = 1.0  # 90 and 345 degrees clockwise
    assert quarters(rolls, np.array([0.0, 0.0])).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert quarters(rolls, np.array([90.0, 170.0])).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


def test_up_is_measured_clockwise() -> None:
    points = np.zeros((1, 68, 2))
    points[:, 36:48, 0] = 5.0  # the eyes to the right of the mouth
    assert up_deg(points).tolist() == [90.0]
