from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import mien
from mien.geometry import Box


def test_no_box_gives_no_points(reader: mien.Reader, astronaut: np.ndarray) -> None:
    assert reader.landmarker.locate(astronaut, []).shape == (0, 68, 2)


def test_points_agree_with_the_detectors_five(
    reader: mien.Reader, astronaut: np.ndarray, hopper: np.ndarray
) -> None:
    from mien.geometry import five_points

    for picture in (astronaut, hopper):
        (face,) = reader.detector.detect(picture)
        points = five_points(reader.landmarker.locate(picture, [face.box])[0])
        eyes = np.linalg.norm(points[0] - points[1])
        assert np.linalg.norm(points - np.array(face.points), axis=1).max() < 0.2 * eyes


@pytest.mark.parametrize("turn_deg", [-40, -15, 20, 45])
def test_points_turn_with_the_picture(reader: mien.Reader, astronaut: np.ndarray, turn_deg: float) -> None:
    face = Box(170, 60, 280, 180)
    upright = reader.landmarker.locate(astronaut, [face])[0]
    turned = np.asarray(Image.fromarray(astronaut).rotate(turn_deg, Image.Resampling.BILINEAR, center=(225, 120)))
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    wanted = (upright - [225, 120]) @ np.array([[c, -s], [s, c]]) + [225, 120]
    found = reader.landmarker.locate(turned, [face])[0]
    eyes = np.linalg.norm(upright[36] - upright[45])
    assert np.linalg.norm(found - wanted, axis=1).mean() < 0.05 * eyes


def test_a_loose_or_shifted_box_gives_nearly_the_same_points(reader: mien.Reader, astronaut: np.ndarray) -> None:
    boxes = [Box(182, 58, 270, 178), Box(160, 40, 290, 200), Box(170, 75, 262, 190)]
    points = reader.landmarker.locate(astronaut, boxes)
    eyes = np.linalg.norm(points[0, 36] - points[0, 45])
    for other in points[1:]:
        assert np.linalg.norm(other - points[0], axis=1).mean() < 0.04 * eyes
