"""The roll of faces by the ONNX form of `mien.models.roll`: a probability for every direction of up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.geometry import Box, box_onto_square, five_points
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess, warp

CROP = 1.3  # side of the crop in face boxes, as in training
BINS = 24
_HALF_WINDOW = 3  # bins on each side of a direction that count for it: 52 degrees
_BATCH = 64


class RollOnnx:
    """Reads the roll of faces from their boxes. `threads`: of ONNX Runtime; 0 takes every core."""

    def __init__(self, model: Path, inputs: Preprocess, *, threads: int = 0) -> None:
        self.inputs = inputs
        self._session = open_session(model, threads=threads)

    def probabilities(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 24) for rolls of 0, 15, ... degrees clockwise."""
        size_px, rows = self.inputs.size_px, [np.zeros((0, BINS))]
        for start in range(0, len(boxes), _BATCH):
            some = boxes[start : start + _BATCH]
            crops = [warp(image, box_onto_square(box.squared().grown(CROP), size_px), size_px) for box in some]
            logits = self._session.run(None, {"faces": self.inputs.normalise(np.stack(crops))})[0]
            powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
            rows.append(powers / powers.sum(axis=1, keepdims=True))
        return np.concatenate(rows)


def quarters(rolls: np.ndarray, up_deg: np.ndarray) -> np.ndarray:
    """Probabilities (N, 24) and directions (N,) -> (N, 4): that up lies within 52 degrees of each direction, and of
    those 90, 180 and 270 degrees clockwise of it."""
    middle = np.rint(np.asarray(up_deg) / 360 * BINS).astype(int)[:, None] + np.arange(4) * BINS // 4
    bins = (middle[:, :, None] + np.arange(-_HALF_WINDOW, _HALF_WINDOW + 1)) % BINS  # (N, 4, 7)
    return np.take_along_axis(rolls[:, None, :], bins, axis=2).sum(axis=2)


def up_deg(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (N, 68, 2) -> (N,) degrees clockwise from upright, from the mouth to the eyes."""
    points = five_points(landmarks)
    up = points[:, :2].mean(axis=1) - points[:, 3:].mean(axis=1)
    return np.rad2deg(np.arctan2(up[:, 0], -up[:, 1]))
