from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import mien
from mien.geometry import Box


def test_no_box_gives_no_points(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    assert recognizer.landmarker.locate(astronaut, []).shape == (0, 68, 2)


def test_points_agree_with_the_detectors_five(
    recognizer: mien.Recognizer, astronaut: np.ndarray, hopper: np.ndarray
) -> None:
    from mien.geometry import five_points

    for image in (astronaut, hopper):
        (face,) = recognizer.detector.detect(image)
        points = five_points(recognizer.landmarker.locate(image, [face.box])[0])
        eyes = np.linalg.norm(points[0] - points[1])
        assert np.linalg.norm(points - np.array(face.points), axis=1).max() < 0.2 * eyes


@pytest.mark.parametrize("off_axis_deg", [-40, -15, 20, 45])
def test_points_turn_with_the_image(
    recognizer: mien.Recognizer, astronaut: np.ndarray, off_axis_deg: float
) -> None:
    face = Box(170, 60, 280, 180)
    upright = recognizer.landmarker.locate(astronaut, [face])[0]
    rotated = np.asarray(
        Image.fromarray(astronaut).rotate(off_axis_deg, Image.Resampling.BILINEAR, center=(225, 120))
    )
    c, s = np.cos(np.deg2rad(off_axis_deg)), np.sin(np.deg2rad(off_axis_deg))
    wanted = (upright - [225, 120]) @ np.array([[c, -s], [s, c]]) + [225, 120]
    points = recognizer.landmarker.locate(rotated, [face])[0]
    eyes = np.linalg.norm(upright[36] - upright[45])
    assert np.linalg.norm(points - wanted, axis=1).mean() < 0.05 * eyes


def test_a_loose_or_shifted_box_gives_nearly_the_same_points(
    recognizer: mien.Recognizer, astronaut: np.ndarray
) -> None:
    boxes = [Box(182, 58, 270, 178), Box(160, 40, 290, 200), Box(170, 75, 262, 190)]
    points = recognizer.landmarker.locate(astronaut, boxes)
    eyes = np.linalg.norm(points[0, 36] - points[0, 45])
    for other in points[1:]:
        assert np.linalg.norm(other - points[0], axis=1).mean() < 0.04 * eyes


def test_the_last_bits_of_a_box_change_nothing(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    """They depend on the processor and on the build of ONNX Runtime."""
    box = mien.Box(171.3, 60.2, 271.9, 181.4)
    other = mien.Box(171.3001, 60.2001, 271.8999, 181.3999)
    one, same = recognizer.landmarker.locate(astronaut, [box, other])
    assert np.array_equal(one, same)
