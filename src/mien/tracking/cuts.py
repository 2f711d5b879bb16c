"""Shot changes: where the histograms of an image's parts are suddenly others."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Any

import numpy as np

CUT_FROM = 0.4  # mean distance of the histograms, 0..1
CUT_RATIO = 3.0  # times the usual distance between neighbours of this shot: fast pans are no cuts
_GRID, _CELL_PX, _BINS, _HISTORY = 3, 16, 8, 12
# Of each pixel of three planes (3, 48, 48): the first bin of the histogram of its part.
_PARTS = np.arange(_GRID * _GRID).reshape(_GRID, _GRID).repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)
_FIRST_BINS = (_PARTS * 3 + np.arange(3)[:, None, None]) * _BINS


class CutDetector:
    """To be called with every examined frame in order."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._usual: deque[float] = deque(maxlen=_HISTORY)

    def is_cut(self, image: np.ndarray) -> bool:
        """Whether this frame (H, W, 3) uint8 begins another shot; the first frame does."""
        now, before = _histograms(image), self._before
        self._before = now
        if before is None:
            return True
        distance = float(np.abs(now - before).sum(axis=-1).mean() / 2)
        cut = distance >= CUT_FROM and distance >= CUT_RATIO * median(self._usual or [0.0])
        if cut:
            self._usual.clear()
        else:
            self._usual.append(distance)
        return cut

    def state(self) -> dict[str, Any]:
        """Plain values from which `restore` goes on."""
        before = None if self._before is None else self._before.tolist()
        return {"before": before, "usual": list(self._usual)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the frame at which `state` was taken."""
        self._before = None if state["before"] is None else np.array(state["before"])
        self._usual = deque(state["usual"], maxlen=_HISTORY)


def _histograms(image: np.ndarray) -> np.ndarray:
    """(9 * 3, 8): of luma and both chroma differences in a grid of parts; each sums to 1."""
    side = _GRID * _CELL_PX
    rows, columns = (np.linspace(0, length - 1, side).round().astype(int) for length in image.shape[:2])
    small = image[rows[:, None], columns].astype(np.float32)  # (48, 48, 3)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = np.stack([luma, (red - luma) + 128, (blue - luma) + 128])  # (3, 48, 48)
    levels = (planes * (_BINS / 256)).astype(int).clip(0, _BINS - 1)
    counts = np.bincount((levels + _FIRST_BINS).ravel(), minlength=3 * _GRID * _GRID * _BINS)
    return counts.reshape(-1, _BINS) / _CELL_PX**2
