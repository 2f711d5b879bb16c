"""Which way is up, by the roll network."""

from __future__ import annotations

import numpy as np
import pytest

from mien.geometry import Box, quarter_turn, transform, transform_box
from mien.pipeline.detectors import detector_called, upright_measure
from mien.pipeline.recognizer import default_landmarker


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
        assert measure.margins(rotated, [box], transform(matrix, landmarks))[0] > 0.8
        for wrong in range(1, 4):
            middle = np.array(face.box.centre)
            back = landmarks - middle
            angle = np.pi / 2 * wrong
            turned = back @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + middle
            assert measure.margins(rotated, [box], transform(matrix, turned))[0] < 0
    assert len(measure.margins(image, [], np.zeros((0, 68, 2)))) == 0


def test_nothing_to_see_has_no_clear_direction() -> None:
    probabilities = upright_measure().probabilities(np.full((90, 90, 3), 128, np.uint8), [Box(20, 20, 70, 70)])
    assert probabilities.shape == (1, 24)
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities.max() < 0.5
