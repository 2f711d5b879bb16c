"""Which way is up in a face: detectors, which know upright faces, see it rotated four ways."""

from __future__ import annotations

import numpy as np

from mien.faces.passes import MultiPassDetector
from mien.geometry import five_points, similarity
from mien.preprocess import TEMPLATES, warp

LOWEST_SCORE = 0.02  # of the detectors that measure
CLEAR_FROM = 0.2  # margin of the first detector; no face in a wrong direction reached it
_SIDE_PX = 160
_SHARE = 0.55  # of the crop's side is an ArcFace crop: the face with something around it
_TEMPLATE = (TEMPLATES["arcface"] - [0.5, 0.55]) * _SHARE + 0.5
_OFF_CENTRE_PX = 30  # farther away it is another face


class UprightMeasure:
    """`detectors`: of upright faces, with a threshold of `LOWEST_SCORE`."""

    def __init__(self, *detectors: MultiPassDetector) -> None:
        self._detectors = detectors

    def margins(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and landmarks (N, 68, 2) in its pixels -> (N,) from -1 to 1.

        The score of the face as aligned by its landmarks, less the best score of the same crop rotated by 90, 180
        and 270 degrees: the first detector's where that is clear, else the mean over all. High where the landmarks
        have the chin where it is.
        """
        return np.array([self._margin(image, points) for points in landmarks])

    def _margin(self, image: np.ndarray, points: np.ndarray) -> float:
        crop = warp(image, similarity(five_points(points), _TEMPLATE * _SIDE_PX), _SIDE_PX)
        rotated = [np.rot90(crop, turns) for turns in range(4)]
        margins: list[float] = []
        for detector in self._detectors:
            upright, *others = (self._score(detector, each) for each in rotated)
            margins.append(upright - max(others))
            if margins[0] >= CLEAR_FROM:
                break
        return float(np.mean(margins))

    def _score(self, detector: MultiPassDetector, crop: np.ndarray) -> float:
        """The best score of a face in the middle of a crop (S, S, 3); none: 0."""
        x = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], dtype=np.float32)
        boxes, scores, _ = detector.infer(x)
        off_centre = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - _SIDE_PX / 2).max(axis=1, initial=0)
        return float(scores[off_centre < _OFF_CENTRE_PX].max(initial=0.0))
