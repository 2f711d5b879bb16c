"""Detecting faces and their landmarks. Each part is behind a small protocol and can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mien.geometry import Box


@dataclass(frozen=True, slots=True)
class Detection:
    """One face detected in an image."""

    box: Box
    score: float  # 0..1
    points: tuple[tuple[float, float], ...] = ()  # eyes, nose, mouth corners as (x, y), or none


@runtime_checkable
class Detector(Protocol):
    """Anything that detects faces."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Image (H, W, 3) uint8 RGB -> its faces by decreasing score; none: empty."""
        ...


@runtime_checkable
class Landmarker(Protocol):
    """Anything that places the 68 points of 300-W / Multi-PIE."""

    def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 68, 2) in image pixels."""
        ...
