"""What tells people apart within a video: the colours of hair, face and clothes.

Not who somebody is: two people in the same clothes before the same wall look alike (docs/decisions/0015-tracking.md
has what was measured, also of the features of our networks).
"""

from __future__ import annotations

import numpy as np

from mien.geometry import five_points, similarity
from mien.preprocess import TEMPLATES, warp

_SIDE_PX = 48
_TEMPLATE = ((TEMPLATES["arcface"] - [0.5, 0.5]) * 0.34 + [0.5, 0.36]) * _SIDE_PX
_HAIR = (slice(0, 12), slice(12, 36))
_FACE = (slice(12, 26), slice(15, 33))
_CLOTHES = (slice(31, 48), slice(6, 42))
_BINS = 12


def descriptor(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) uint8 RGB and a face's landmarks (68, 2) in it -> a unit vector (108,) for `likeness`."""
    five = five_points(landmarks)
    patch = warp(image, similarity(five, _TEMPLATE), _SIDE_PX, glance=True).astype(np.float64)
    bins = _bins(patch)
    counts = np.concatenate([_histogram(bins[part]) for part in (_HAIR, _FACE, _CLOTHES)])
    return np.sqrt(counts / counts.sum())


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The Bhattacharyya coefficient of two descriptors, 0 (nothing alike) to 1 (the same colours)."""
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)


def _bins(patch: np.ndarray) -> np.ndarray:
    """Pixels (H, W, 3) -> the bins (H, W, 3) of luma and two chroma differences; -1: beyond them."""
    luma = patch @ [0.299, 0.587, 0.114]
    channels = np.stack([luma, (patch[..., 0] - luma) * 1.4 + 128, (patch[..., 2] - luma) * 1.4 + 128], axis=-1)
    bins = np.floor(channels * (_BINS / 256)).astype(int)
    return np.where((bins >= 0) & (bins < _BINS), bins, -1)


def _histogram(bins: np.ndarray) -> np.ndarray:
    """Bins (H, W, 3) of a part -> (3 * 12,): each channel's, with the same weight whatever the part's size."""
    pixels = bins.reshape(-1, 3)
    counts = np.bincount((pixels + 1 + (_BINS + 1) * np.arange(3)).ravel(), minlength=3 * (_BINS + 1))
    return counts.reshape(3, _BINS + 1)[:, 1:].ravel() / len(pixels) + 1e-3
