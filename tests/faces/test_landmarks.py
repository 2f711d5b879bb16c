from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import mien
from mien.faces.landmarks import is_close, locate
from mien.geometry import Box
from mien.preprocess import TEMPLATES


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


@pytest.mark.parametrize(
    ("rotated_deg", "scale", "shift", "close"),
    [(0, 1.0, 0.0, True), (14, 1.2, 0.0, True), (16, 1.0, 0.0, False), (0, 1.25, 0.0, False), (0, 0.8, 0.0, False),
     (0, 1.0, 0.08, True), (0, 1.0, 0.12, False)],
)  # fmt: skip
def test_what_is_close_to_the_upright_crop(rotated_deg: float, scale: float, shift: float, close: bool) -> None:
    c, s = scale * np.cos(np.deg2rad(rotated_deg)), scale * np.sin(np.deg2rad(rotated_deg))
    turn = np.array([[c, -s], [s, c]])
    seen = np.column_stack([turn, 48 - turn @ [48, 48] + [shift * 96, 0]])  # about the middle of the crop
    assert is_close(seen, np.eye(2, 3), 96) is close


def test_only_faces_that_are_not_close_are_passed_again() -> None:
    mean = five_point_face()
    sizes: list[int] = []

    def shares(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        rolled = mean if len(sizes) > 1 else np.stack([mean, mean @ np.array([[0, 1], [-1, 0]]) + [0, 1]])
        return np.broadcast_to(rolled, (len(crops), 68, 2))

    boxes = [Box(10, 10, 90, 90), Box(10, 10, 90, 90)]
    locate(np.zeros((100, 100, 3), np.uint8), boxes, shares, size_px=64, passes=2)
    assert sizes == [2, 1]


def five_point_face() -> np.ndarray:
    """Points (68, 2), shares of the crop, whose five are those of the template."""
    points = np.full((68, 2), 0.5)
    for rows, at in zip((range(36, 42), range(42, 48), [30], [48], [54]), TEMPLATES["face"], strict=True):
        points[list(rows)] = at
    return points
