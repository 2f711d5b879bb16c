"""Which way is up in a face: a small network reads its roll from the box, and the landmarks have to agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.geometry import Box, box_onto_square, five_points
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess, warp

CROP = 1.3  # side of the crop in face boxes, as in training
_HALF_WINDOW = 3  # bins on each side of a direction that count for it: 52 degrees
_BATCH = 64


class UprightMeasure:
    """The ONNX form of `mien.models.roll`."""

    def __init__(self, model: Path, inputs: Preprocess, *, threads: int = 0) -> None:
        self.inputs = inputs
        self._session = open_session(model, threads=threads)

    def margins(self, image: np.ndarray, boxes: Sequence[Box], landmarks: np.ndarray) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB, N face boxes and landmarks (N, 68, 2) in its pixels -> (N,) from -1 to 1.

        The probability that up is within 52 degrees of where the landmarks have it, less the highest of the three
        directions at right angles to it. High where the landmarks have the chin where it is.
        """
        if not len(boxes):
            return np.zeros(0)
        probabilities = self.probabilities(image, boxes)
        bins = probabilities.shape[1]
        eyes, mouth = five_points(landmarks)[:, :2].mean(axis=1), five_points(landmarks)[:, 3:].mean(axis=1)
        up = eyes - mouth
        roll = np.arctan2(up[:, 0], -up[:, 1])  # clockwise
        window = np.arange(-_HALF_WINDOW, _HALF_WINDOW + 1)
        nearest = np.rint(roll / (2 * np.pi) * bins).astype(int)
        turns = nearest[:, None] + np.arange(4) * bins // 4  # (N, 4)
        picked = (turns[:, :, None] + window) % bins
        mass = np.take_along_axis(probabilities[:, None, :], picked, axis=2).sum(axis=2)  # (N, 4)
        return mass[:, 0] - mass[:, 1:].max(axis=1)

    def probabilities(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 24) for rolls of 0, 15, ... degrees clockwise."""
        size_px, rows = self.inputs.size_px, list[np.ndarray]()
        for start in range(0, len(boxes), _BATCH):
            some = boxes[start : start + _BATCH]
            crops = [warp(image, box_onto_square(box.squared().grown(CROP), size_px), size_px) for box in some]
            logits = self._session.run(None, {"faces": self.inputs.normalise(np.stack(crops))})[0]
            powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
            rows.append(powers / powers.sum(axis=1, keepdims=True))
        return np.concatenate(rows)
