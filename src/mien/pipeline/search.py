"""Detection in the key frames of a video: small faces are searched for once a second, then where there are some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.faces import Detection
from mien.faces.passes import MultiPassDetector

if TYPE_CHECKING:
    from mien.pipeline.recognizer import Recognizer


@dataclass(frozen=True)
class LastSearch:
    """What the last search gave, which decides how the next key frames are searched.

    `sideways`: faces that are not upright. `small`: faces that need tiles.
    """

    sideways: bool = False
    small: bool = False


class KeyFrameSearch:
    """Detects as the recognizer does, or as the last search says. A detector of the user's own is simply called."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        detector = recognizer.detector
        adaptive = isinstance(detector, MultiPassDetector) and detector.tiles is None
        self._adaptive = detector if adaptive else None

    def everything(self, image: np.ndarray) -> tuple[list[Detection], bool]:
        """The faces of an image (H, W, 3) uint8 RGB, and whether tiles were needed for them."""
        if not isinstance(self._adaptive, MultiPassDetector):
            return self._recognizer.detections(image), False
        if large := self._adaptive.detect_unless_small(image):
            return large, False
        faces = self._recognizer.detections(image)
        return faces, bool(faces)

    def quickly(self, image: np.ndarray, *, small: bool) -> list[Detection]:
        """The faces of a key frame after a search. `small`: in tiles, too."""
        if not isinstance(self._adaptive, MultiPassDetector):
            return self._recognizer.detections(image)
        return self._adaptive.with_tiles(small).detect(image)
