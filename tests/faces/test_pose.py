from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mien
from mien.faces import pose
from mien.faces.pose import head_pose
from mien.geometry import rotation_matrix


def landmarks_of(yaw_deg: float, pitch_deg: float, roll_deg: float, *, distance: float | None = None) -> np.ndarray:
    """The 68 points of the mean face of ICT-FaceKit under a known rotation, in a 600-pixel image."""
    rotated = pose._MEAN_FACE @ rotation_matrix(yaw_deg, pitch_deg, roll_deg).T
    flat = rotated[:, :2] if distance is None else rotated[:, :2] * (distance / (distance + rotated[:, 2:]))
    points = np.zeros((68, 2))
    points[pose._POINTS] = flat * 120 + 300
    return points


angles = st.tuples(st.floats(-75, 75), st.floats(-50, 50), st.floats(-80, 80))


@given(angles)
def test_a_known_rotation_is_recovered(wanted: tuple[float, float, float]) -> None:
    estimate = head_pose(landmarks_of(*wanted))
    np.testing.assert_allclose([estimate.yaw_deg, estimate.pitch_deg, estimate.roll_deg], wanted, atol=0.01)


@pytest.mark.parametrize("wanted", [(0, 0, 0), (30, 0, 0), (-45, 10, 5), (20, -25, -15)])
def test_a_camera_at_two_arm_lengths_costs_few_degrees(wanted: tuple[float, float, float]) -> None:
    estimate = head_pose(landmarks_of(*wanted, distance=12.0))  # 12 eye distances: about one metre
    np.testing.assert_allclose([estimate.yaw_deg, estimate.pitch_deg, estimate.roll_deg], wanted, atol=4)


def test_signs_are_those_of_the_image() -> None:
    right = landmarks_of(30, 0, 0)
    assert right[30, 0] > right[[36, 45], 0].mean()  # the nose is nearer the right edge
    up = landmarks_of(0, 30, 0)
    ahead = landmarks_of(0, 0, 0)
    assert up[30, 1] < ahead[30, 1]  # the nose rises
    clockwise = landmarks_of(0, 0, 20)
    assert clockwise[45, 1] > clockwise[36, 1]  # the eye on the right sinks


def test_points_on_a_line_are_refused() -> None:
    with pytest.raises(ValueError, match="on one line"):
        head_pose(np.stack([np.arange(68.0), np.arange(68.0)], axis=1))


RENDERED = sorted((Path(__file__).parents[1] / "golden" / "poses").glob("*.jpg"))


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_the_pose_of_a_rendered_head_is_estimated_from_its_image(recognizer: mien.Recognizer, path: Path) -> None:
    wanted = [float(part) for part in re.findall(r"-?\d+", path.stem)]
    (face,) = recognizer.predict(path)
    assert face.pose is not None
    angles = [face.pose.yaw_deg, face.pose.pitch_deg, face.pose.roll_deg]
    np.testing.assert_allclose(angles, wanted, atol=12)


def test_there_are_rendered_heads() -> None:
    assert len(RENDERED) == 6
