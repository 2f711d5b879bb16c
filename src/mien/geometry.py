"""Boxes, points and the similarity transform.

Coordinates are in pixels, x to the right and y down, origin at the outer corner of the top left
pixel: the centre of that pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from mien.arguments import check_fields
from mien.errors import check_option

SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True, repr=False)
class Box:
    """Corners in pixels; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        sides = (self.left, self.top, self.right, self.bottom)
        return f"Box({', '.join(f'{side:.1f}' if isinstance(side, Real) else repr(side) for side in sides)})"

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Square pixels; 0 where right lies before left."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def grown(self, factor: float) -> Box:
        """Same centre, sides times `factor`."""
        check_option("factor", factor, Real, "a number")
        dx = self.width * (factor - 1) / 2
        dy = self.height * (factor - 1) / 2
        return Box(self.left - dx, self.top - dy, self.right + dx, self.bottom + dy)

    def squared(self) -> Box:
        """The square with the same centre and the longer side."""
        half = max(self.width, self.height) / 2
        x, y = self.centre
        return Box(x - half, y - half, x + half, y + half)

    def clipped(self, width: float, height: float) -> Box:
        """The part inside an image of this size."""
        check_option("width", width, Real, "a number")
        check_option("height", height, Real, "a number")
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )


def box_array(boxes: Iterable[Box]) -> np.ndarray:
    """Boxes as an array (N, 4) in the order of `SIDES`."""
    return np.array([(box.left, box.top, box.right, box.bottom) for box in boxes]).reshape(-1, 4)


def rotation_matrix(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """The rotation (3, 3) of a `Pose`, in axes x right, y down, z away from the camera.

    The roll turns the face around its own viewing axis first, then yaw and pitch point that axis.
    """
    (cy, sy), (cp, sp), (cr, sr) = (
        (np.cos(angle), np.sin(angle)) for angle in np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    )
    yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return yaw @ pitch @ roll


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with boxes (N, 4) -> (N,)."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = width.clip(min=0) * height.clip(min=0)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return shared / np.maximum(area + areas - shared, 1e-12)


def nms(boxes: np.ndarray, scores: np.ndarray, *, iou_threshold: float) -> np.ndarray:
    """Greedy non-maximum suppression: boxes (N, 4), scores (N,) -> indices kept, best first."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[iou(boxes[best], boxes[order]) <= iou_threshold]
    return np.array(kept, dtype=int)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares rotation, uniform scale and shift, without flipping.

    Points (N, 2) onto points (N, 2) -> matrix (2, 3). Umeyama, "Least-squares estimation of
    transformation parameters between two point patterns" (1991); in two dimensions the solution is
    the complex number a + ib that fits target = (a + ib) source best.
    """
    source_mean, target_mean = source.sum(axis=0) / len(source), target.sum(axis=0) / len(target)
    (x, y), (u, v) = (source - source_mean).T, (target - target_mean).T
    spread = float(np.sum(x * x + y * y))
    if spread < 1e-12:
        raise ValueError("a similarity transform needs two different points")
    a = float(np.sum(x * u + y * v)) / spread
    b = float(np.sum(x * v - y * u)) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, target_mean - turn @ source_mean])


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply a matrix (2, 3) to points (..., 2)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: np.ndarray) -> np.ndarray:
    """The matrix (2, 3) that undoes a matrix (2, 3)."""
    (a, b, x), (c, d, y) = matrix.tolist()
    size = a * d - b * c
    if size == 0:
        raise np.linalg.LinAlgError("a matrix that maps onto a line has no inverse")
    a, b, c, d = d / size, -b / size, -c / size, a / size
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]])


def box_onto_square(box: Box, size_px: int) -> np.ndarray:
    """The matrix (2, 3) that takes `box`, made square, onto a crop of `size_px` pixels."""
    square = box.squared()
    scale = size_px / max(square.width, 1e-6)
    return np.array([[scale, 0.0, -square.left * scale], [0.0, scale, -square.top * scale]])


def quarter_turn(turns: int, width: float, height: float) -> np.ndarray:
    """The matrix (2, 3) from an image of this size into `np.rot90(image, turns)`: counter-clockwise."""
    return np.array(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[0, 1, 0], [-1, 0, width]],
            [[-1, 0, width], [0, -1, height]],
            [[0, -1, height], [1, 0, 0]],
        ][turns],
        dtype=np.float64,
    )


def transform_box(matrix: np.ndarray, box: Box) -> Box:
    """The box around a transformed box."""
    points = transform(matrix, np.array([[box.left, box.top], [box.right, box.bottom]]))
    return Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """68 landmarks (..., 68, 2) -> eye centres, nose tip, mouth corners (..., 5, 2).

    Left to right as seen in the image, the order of face detectors and of ArcFace's template.
    """
    return np.stack(
        [
            landmarks[..., 36:42, :].sum(axis=-2) / 6,
            landmarks[..., 42:48, :].sum(axis=-2) / 6,
            landmarks[..., 30, :],
            landmarks[..., 48, :],
            landmarks[..., 54, :],
        ],
        axis=-2,
    )


# Point i of a flipped face is point FLIP_68[i] of the face (300-W order).
FLIP_68 = [
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # nose ridge
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
]
