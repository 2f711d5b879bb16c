"""Scores of a frame that also hold in frames near it, because the face has not changed.

A face between two frames in which it was recognised takes over the scores of one of them where both say nearly the
same and the aligned face looks nearly as it does there. Limits measured by benchmarks/reuse.py
(docs/how-to/video.md).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.faces.pose import head_pose
from mien.pipeline.turns import LocatedFace
from mien.preprocess import Preprocess, warp
from mien.results import Face

MOST_CHANGE = 0.13  # mean difference of the aligned faces, in standard deviations of one of them
MOST_DISAGREEMENT = 0.15  # of the probability of a class in the two frames
TIED = 0.1  # ... of two key frames side by side whose most probable class is not the same: nearly a tie
MOST_APART_S = 0.255  # between these: two key frames' distances at 24 frames a second, the longest
_INPUTS = Preprocess(size_px=32)
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LEAST_CONTRAST = 8.0  # of 255: below, noise is what changes


def thumbnail(image: np.ndarray, face: LocatedFace) -> np.ndarray:
    """Image (H, W, 3) uint8 RGB and a face in it -> the aligned face as luminance (32, 32), 0..255."""
    rotated = np.rot90(image, face.turns) if face.turns else image
    return warp(rotated, _INPUTS.matrix(face.points), _INPUTS.size_px, glance=True).astype(np.float32) @ _LUMA


def change(before: np.ndarray, now: np.ndarray) -> float:
    """How much a face has changed: 0, not at all; about 1, another face."""
    contrast = max(float(before.std()), _LEAST_CONTRAST)
    return float(np.abs(now - before).mean()) / contrast


def agree(one: Face, other: Face, *, ties: bool) -> bool:
    """Whether both have nearly the same probabilities; `ties`: of other most probable classes, too."""
    if one.expression is None or other.expression is None:
        return False
    pairs = zip(one.expression.values, other.expression.values, strict=True)
    apart = max(abs(a - b) for a, b in pairs)
    return apart < MOST_DISAGREEMENT if one.expression.top == other.expression.top else ties and apart < TIED


def moved(face: Face, located: LocatedFace) -> Face:
    """The face of a key frame at its place in another frame: box, landmarks and pose are those, the rest stays."""
    return replace(
        face,
        box=located.detection.box,
        landmarks=tuple(map(tuple, located.landmarks.tolist())),
        pose=head_pose(located.landmarks),
    )
