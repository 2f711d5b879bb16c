"""How a data set frames its faces: where their five points lie in its images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mien.geometry import five_points, similarity, transform

# Spread up to which a set frames its faces alike. CFEE has 0.04, SFEW's aligned faces 0.08, boxes of FER2013, in
# which heads lean, 0.13, KDEF with half profiles beside frontal views 0.20.
ONE_FRAMING = 0.1
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The median of the five points over the images of a set in which a face was detected."""

    title: str  # of the set
    points: tuple[tuple[float, float], ...]  # (x, y) in sides of the image, in the order of `TEMPLATES`
    spread: float  # how far the corners of an image move when its face is aligned to `points`; median, in sides
    aspect: float  # width / height of the images before they were stretched to squares; median
    faces: int  # that were measured
    images: int

    @property
    def is_one(self) -> bool:
        """Whether the set has one framing, as sets of aligned faces do."""
        return self.spread <= ONE_FRAMING

    def describe(self) -> str:
        """For a log and for the notes of a manifest."""
        text = (
            f"faces in photos are aligned to the median five points of {self.faces:,} faces in {self.images:,} "
            f"images of {self.title}; aligned so, the corners of an image of the set move by {self.spread:.1%} of "
            "its side (median)"
        )
        return text if self.is_one else f"{text}: the set has no one framing, and photos are framed like few of it"

    @classmethod
    def of(
        cls,
        landmarks: np.ndarray,
        detected: np.ndarray,
        side: int,
        *,
        title: str,
        aspect: np.ndarray | None = None,
    ) -> Framing | None:
        """Landmarks (N, 68, 2) in images of `side` pixels, (N,) whether a face was detected; None without any.

        `aspect`: (N,) width / height of the images before they were stretched to squares; None: they are square.
        """
        points = five_points(np.asarray(landmarks[detected], dtype=np.float64)) / side
        points = points[np.isfinite(points).all(axis=(1, 2))]
        if not len(points):
            return None
        middle = np.median(points, axis=0).round(5)
        shape = 1.0 if aspect is None else round(float(np.median(aspect)), 4)
        return cls(
            title=title,
            points=tuple((x, y) for x, y in middle.tolist()),
            spread=float(np.median([moved_corners(face, middle, aspect=shape) for face in points])),
            aspect=shape,
            faces=len(points),
            images=len(landmarks),
        )


def moved_corners(points: ArrayLike, onto: ArrayLike, *, aspect: float = 1.0) -> float:
    """How far the corners of an image move, in sides, where its five points (5, 2) are aligned to others."""
    shape = np.array([aspect, 1.0])
    matrix = similarity(np.asarray(points) * shape, np.asarray(onto) * shape)
    return float(np.linalg.norm(transform(matrix, _CORNERS * shape) / shape - _CORNERS, axis=1).mean())
