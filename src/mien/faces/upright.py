"""Which way is up in a face: a network reads its roll from the box.

Where that is in doubt, detectors, which know upright faces, see the face rotated four ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.faces.passes import MultiPassDetector
from mien.faces.roll import RollOnnx, quarters, up_deg
from mien.geometry import Box, five_points, similarity
from mien.preprocess import TEMPLATES, warp

LOWEST_SCORE = 0.02  # of the detectors that measure
CLEAR_ROLL = 0.8  # probability of one direction over the others; below, the middle of the box is read as well
MIDDLE = 0.65  # of the box's side: a face with much around it fills that
DOUBTFUL_ROLL = -0.5, 0.8  # margins by the roll between which the detectors are asked
DETECTOR_WEIGHT = 2.0  # of their margin beside that by the roll
CLEAR_FROM = 0.2  # margin of the first detector, which decides alone from here
_SIDE_PX = 160
_SHARE = 0.55  # of the crop's side is an ArcFace crop: the face with something around it
_TEMPLATE = (TEMPLATES["arcface"] - [0.5, 0.55]) * _SHARE + 0.5
_OFF_CENTRE_PX = 30  # farther away it is another face


class UprightMeasure:
    """`detectors`: of upright faces, with a threshold of `LOWEST_SCORE`."""

    def __init__(self, roll: RollOnnx, *detectors: MultiPassDetector) -> None:
        self._roll, self._detectors = roll, detectors

    def rolls(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 24), as `RollOnnx.probabilities`.

        The mean of those of the box and of its middle, where the box alone is not clear.
        """
        rolls = self._roll.probabilities(image, boxes)
        *_, second, best = np.sort(quarters(rolls, np.zeros(len(rolls))), axis=1).T
        unclear = np.flatnonzero(best - second < CLEAR_ROLL).tolist()
        rolls[unclear] += self._roll.probabilities(image, [boxes[i].grown(MIDDLE) for i in unclear])
        return rolls / rolls.sum(axis=1, keepdims=True)

    def margins(self, image: np.ndarray, rolls: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB, N rolls and landmarks (N, 68, 2) in its pixels -> (N,) from -1 to 1.

        The probability that up is where the landmarks have it, less the highest of the three directions at right
        angles to it; in doubt, the margin of the detectors is added. High where the landmarks have the chin where
        it is.
        """
        mass = quarters(rolls, up_deg(landmarks))
        margins = mass[:, 0] - mass[:, 1:].max(axis=1, initial=0.0)
        low, high = DOUBTFUL_ROLL
        for i in np.flatnonzero((margins > low) & (margins < high)):
            margins[i] += DETECTOR_WEIGHT * self._by_detectors(image, landmarks[i])
        return np.clip(margins, -1, 1)

    def _by_detectors(self, image: np.ndarray, points: np.ndarray) -> float:
        """The score of the face as aligned by its landmarks, less the best at the three other quarter turns."""
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
