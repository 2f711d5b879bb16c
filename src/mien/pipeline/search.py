"""Detection in the key frames of a video: small faces are searched for once a second, then where there are some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.faces import Detection, Detector
from mien.faces.passes import MultiPassDetector
from mien.pipeline.detectors import checked_detections


@dataclass(frozen=True)
class LastSearch:
    """What the last search gave, which decides how the next key frames are searched.

    `sideways`: faces that are not upright. `small`: faces that need tiles.
    """

    sideways: bool = False
    small: bool = False


class KeyFrameSearch:
    """Detects as the detector does, or as the last search says. One of the user's own is simply called."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._adaptive = detector if isinstance(detector, MultiPassDetector) and detector.tiles is None else None

    def everything(self, image: np.ndarray) -> tuple[list[Detection], bool]:
        """The faces of an image (H, W, 3) uint8 RGB, and whether tiles were needed for them."""
        if self._adaptive is None:
            return self._detections(image), False
        if large := self._adaptive.detect_unless_small(image):
            return large, False
        faces = self._detections(image)
        return faces, bool(faces)

    def quickly(self, image: np.ndarray, *, small: bool) -> list[Detection]:
        """The faces of a key frame after a search. `small`: in tiles, too."""
        if self._adaptive is None:
            return self._detections(image)
        return self._adaptive.with_tiles(small).detect(image)

    def _detections(self, image: np.ndarray) -> list[Detection]:
        return checked_detections(self._detector.detect(image))
