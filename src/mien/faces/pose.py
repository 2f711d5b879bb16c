"""Head rotation from 68 landmarks: the mean face rotated until it lies under the points.

Scaled orthographic projection, least squares, then the nearest rotation (Tomasi and Kanade, 1992,
use the same step). Brows, eyes, nose and mouth corners take part; the jaw does not, because its points
slide along the visible outline when the head turns.
"""

from __future__ import annotations

import math

import numpy as np

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


_FLAT = 1e-12  # the square of the ratio of the two singular values
_FIT = np.linalg.pinv(_MEAN_FACE)  # (3, P): points times it are the least-squares map of the mean face


def head_pose(landmarks: np.ndarray) -> Pose:
    """Landmarks (68, 2) in pixels -> rotation in degrees; signs at `Pose`.

    Raises ValueError where the points lie on one line.
    """
    x, y, z = _rows(landmarks[_POINTS])
    yaw, pitch = math.atan2(-x[2], z[2]), math.asin(min(max(y[2], -1.0), 1.0))
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    # The first column of what is left without yaw and pitch: a rotation about the viewing axis.
    roll = math.atan2(sy * sp * x[0] + cp * y[0] - cy * sp * z[0], cy * x[0] + sy * z[0])
    return Pose(*(math.degrees(angle) for angle in (yaw, pitch, roll)))


def _rows(points: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """The rows of the rotation whose first two, scaled, map the mean face onto points (P, 2) best.

    The nearest two orthonormal rows to an affine map A are (A A^T)^(-1/2) A; the square root of a symmetric 2 x 2
    matrix S is (S + d I) / sqrt(trace(S) + 2 d), d the square root of its determinant.
    """
    u, v = (_FIT @ (points - points.mean(axis=0))).T.tolist()
    uu, uv, vv = _dot(u, u), _dot(u, v), _dot(v, v)
    determinant = uu * vv - uv * uv
    if determinant <= _FLAT * (uu + vv) ** 2:
        raise ValueError("the landmarks lie on one line; no head pose can be read from them")
    d = math.sqrt(determinant)
    size = d * math.sqrt(uu + vv + 2 * d)
    x = [((vv + d) * a - uv * b) / size for a, b in zip(u, v, strict=True)]
    y = [((uu + d) * b - uv * a) / size for a, b in zip(u, v, strict=True)]
    return x, y, [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
