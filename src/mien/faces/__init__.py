"""Detecting faces and their landmarks. Each part is behind a small protocol and can be replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mien.arguments import check_fields
from mien.geometry import Box


@dataclass(frozen=True, slots=True, repr=False)
class Detection:
    """One face detected in an image."""

    box: Box
    score: float  # 0..1
    points: tuple[tuple[float, float], ...] = ()  # eyes, nose, mouth corners as (x, y), or none

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        return f"Detection({self.box}, score={self.score:.2f})"


@runtime_checkable
class Detector(Protocol):
    """Anything that detects faces."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Image (H, W, 3) uint8 RGB -> its faces by decreasing score; none: empty."""
        ...


@runtime_checkable
class Landmarker(Protocol):
    """Anything that locates the 68 landmarks of 300-W / Multi-PIE."""

    def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N face boxes -> (N, 68, 2) in image pixels."""
        ...
