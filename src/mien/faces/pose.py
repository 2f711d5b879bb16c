"""Head rotation from 68 landmarks: the mean face rotated until it lies under the points.

Scaled orthographic projection, least squares, then the nearest rotation (Tomasi and Kanade, 1992,
use the same step). Brows, eyes, nose and mouth corners take part; the jaw does not, because its points
slide along the visible outline when the head turns.
"""

from __future__ import annotations

import numpy as np

from mien.geometry import rotation_matrix
from mien.results import Pose

_POINTS = [*range(17, 48), 48, 54]

# The neutral face of ICT-FaceKit (MIT, USC Institute for Creative Technologies), its landmark vertices at
# _POINTS, centred, in distances between the outer eye corners; x right, y down, z away from the camera.
_MEAN_FACE = np.array(
    [
        [-0.652, -0.257, 0.237],
        [-0.553, -0.344, 0.116],
        [-0.425, -0.375, 0.022],
        [-0.271, -0.368, -0.052],
        [-0.131, -0.336, -0.079],
        [0.131, -0.336, -0.079],
        [0.271, -0.368, -0.052],
        [0.425, -0.375, 0.022],
        [0.553, -0.344, 0.116],
        [0.652, -0.257, 0.237],
        [-0.000, -0.093, -0.080],
        [-0.000, 0.031, -0.168],
        [-0.000, 0.145, -0.256],
        [-0.000, 0.281, -0.342],
        [-0.141, 0.454, -0.095],
        [-0.068, 0.454, -0.157],
        [-0.000, 0.461, -0.173],
        [0.068, 0.454, -0.157],
        [0.141, 0.454, -0.095],
        [-0.500, -0.059, 0.159],
        [-0.434, -0.108, 0.074],
        [-0.312, -0.115, 0.055],
        [-0.207, -0.039, 0.093],
        [-0.306, -0.020, 0.068],
        [-0.432, -0.018, 0.089],
        [0.207, -0.039, 0.093],
        [0.312, -0.115, 0.055],
        [0.434, -0.108, 0.074],
        [0.500, -0.059, 0.159],
        [0.432, -0.018, 0.089],
        [0.306, -0.020, 0.068],
        [-0.284, 0.721, -0.019],
        [0.284, 0.721, -0.019],
    ]
)


def head_pose(landmarks: np.ndarray) -> Pose:
    """Landmarks (68, 2) in pixels -> rotation in degrees; signs at `Pose`.

    Raises ValueError where the points lie on one line.
    """
    rotation = _rotation(landmarks[_POINTS])
    ahead = rotation @ [0.0, 0.0, -1.0]  # the direction of the nose, in camera axes
    yaw, pitch = np.arctan2(ahead[0], -ahead[2]), np.arcsin(np.clip(-ahead[1], -1, 1))
    rest = rotation_matrix(np.rad2deg(yaw), np.rad2deg(pitch), 0.0).T @ rotation
    roll = np.arctan2(rest[1, 0], rest[0, 0])
    return Pose(*(float(np.rad2deg(angle)) for angle in (yaw, pitch, roll)))


def _rotation(points: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) whose first two rows, scaled, map the mean face onto points (P, 2) best."""
    centred = points - points.mean(axis=0)
    affine = np.linalg.lstsq(_MEAN_FACE, centred, rcond=None)[0].T  # (2, 3)
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    if sizes[1] < 1e-9:
        raise ValueError("the landmarks lie on one line; no head pose can be read from them")
    rows = left @ right
    return np.vstack([rows, np.cross(rows[0], rows[1])])
