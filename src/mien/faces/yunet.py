"""Our detector: YuNet's network by ONNX Runtime, with weights of our own.

Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023); the torch form is `mien.models.yunet`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from mien.faces.passes import MultiPassDetector, RawDetections
from mien.nn.onnx_session import open_session

STRIDES = (8, 16, 32)  # side of a cell of each output in input pixels
SIDE_PX = 640


class YuNetDetector(MultiPassDetector):
    """Faces of about 10 pixels and more, with five points. Options: `MultiPassDetector`.

    `robust`: fallback weights for images in which the first detect nothing, trained on low light, noise, occlusion
    and roll; their recall on small faces is lower.
    """

    name = "yunet"

    def __init__(
        self,
        model: Path,
        *,
        threshold: float = 0.5,
        iou_threshold: float = 0.3,
        side_px: int = SIDE_PX,
        tiles: bool | None = None,
        threads: int = 0,
        robust: Path | None = None,
    ) -> None:
        super().__init__(threshold=threshold, iou_threshold=iou_threshold, side_px=side_px, tiles=tiles)
        self._session = open_session(model, threads=threads)
        self._fallback: YuNetDetector | None = None
        if robust is not None:
            self._fallback = YuNetDetector(
                robust,
                threshold=threshold,
                iou_threshold=iou_threshold,
                side_px=side_px,
                tiles=False,
                threads=threads,
            )

    def with_options(self, *, threshold: float, tiles: bool | None) -> Self:
        """As `MultiPassDetector.with_options`, of the fallback too."""
        other = super().with_options(threshold=threshold, tiles=tiles)
        if self._fallback is not None:
            other._fallback = self._fallback.with_options(threshold=threshold, tiles=False)
        return other

    def first_passes(self, image: np.ndarray) -> Iterator[RawDetections]:
        """As `MultiPassDetector.first_passes`, then the same with the fallback weights."""
        yield from super().first_passes(image)
        if self._fallback is not None:
            yield from self._fallback.first_passes(image)

    def infer(self, x: np.ndarray, *, threshold: float | None = None) -> RawDetections:
        """As `MultiPassDetector.infer`."""
        np.multiply(x, np.float32(1 / 255), out=x)
        outputs = self._session.run(None, {"faces": x})[0]
        return decode(
            outputs[0], x.shape[2], x.shape[3], threshold=self.threshold if threshold is None else threshold
        )


def decode(outputs: np.ndarray, height: int, width: int, *, threshold: float) -> RawDetections:
    """The network's outputs (16, N) to an image of this size -> boxes (M, 4), scores (M,), points (M, 5, 2).

    Per cell: the logit of a face and of an object, whose probabilities' geometric mean is the score;
    box centre x and y from the cell's corner in cells; logarithm of width and height in cells; x and y of
    five points from the cell's corner in cells. Boxes and points in input pixels.
    """
    logits = np.clip(outputs[:2], -40, 40)
    scores = 1 / np.sqrt((1 + np.exp(-logits[0])) * (1 + np.exp(-logits[1])))
    cells = np.flatnonzero(scores > threshold)
    corners, strides = grid(height, width)
    corner, stride, picked = corners[cells], strides[cells, None], outputs[:, cells].T.astype(np.float64)
    centre = (corner + picked[:, 2:4]) * stride  # (M, 2)
    half = np.exp(picked[:, 4:6]) * stride / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    points = (corner[:, None] + picked[:, 6:].reshape(-1, 5, 2)) * stride[:, None]
    return boxes, scores[cells], points


@lru_cache(maxsize=8)
def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row (N, 2) and stride (N,) of every cell, in the network's order."""
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full(rows.size, stride))
    return np.concatenate(corners), np.concatenate(strides)
