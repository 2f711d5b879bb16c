"""The detection passes over an image: a copy of it, tiles of it, and a padded retry.

The same for every network that detects faces; what is a network's own is one method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from PIL import Image

from mien.faces import Detection
from mien.geometry import Box, box_onto_square, invert, nms, transform
from mien.preprocess import warp

STRIDE_PX = 32  # of the coarsest maps of the networks; sides are multiples of it
PADDED_RETRY_PX = 320
TILE_OVERLAP = 0.25  # of a tile's side

RawDetections = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (N, 4), scores (N,), points (N, 5, 2)


class MultiPassDetector(ABC):
    """A detector around one network.

    `threshold`: least confidence, 0..1. `iou_threshold`: of non-maximum suppression. `side_px`: the longer side of
    the copy that the network sees; a face must be about 10 pixels there to be detected. `tiles`: also detect in
    overlapping squares of `side_px` of a large image at full resolution, for faces down to about 10 pixels.
    """

    name: str  # of the network, for records of what was made with it

    def __init__(self, *, threshold: float, iou_threshold: float, side_px: int, tiles: bool) -> None:
        self.threshold, self.iou_threshold, self.side_px, self.tiles = threshold, iou_threshold, side_px, tiles

    @abstractmethod
    def infer(self, x: np.ndarray) -> RawDetections:
        """Image (1, 3, H, W) float32 RGB 0..255, H and W multiples of 32 -> faces in its pixels.

        Only those above the threshold, before NMS. The array may be changed.
        """

    @property
    def settings(self) -> dict[str, str | float | bool]:
        """What decides which faces are detected."""
        return {
            "network": self.name,
            "threshold": self.threshold,
            "iou_threshold": self.iou_threshold,
            "side_px": self.side_px,
            "tiles": self.tiles,
        }

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Image (H, W, 3) uint8 RGB of any size -> its faces by decreasing confidence."""
        height, width = image.shape[:2]
        for raw in self.passes(image):
            if len(raw[1]):
                break
        boxes, scores, points = raw
        kept = nms(boxes, scores, iou_threshold=self.iou_threshold)
        return [
            Detection(
                Box(*boxes[i].tolist()).clipped(width, height),
                float(scores[i]),
                tuple((float(x), float(y)) for x, y in points[i]),
            )
            for i in kept
        ]

    def passes(self, image: np.ndarray) -> Iterator[RawDetections]:
        """The passes from cheap to costly, before NMS; the first that detects something is the last."""
        height, width = image.shape[:2]
        parts = [self._detect_in(image, Box(0, 0, width, height))]
        if self.tiles and max(width, height) > self.side_px:
            parts += self._detect_in_tiles(image)
        boxes, scores, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        yield boxes, scores, points
        yield self._padded_retry(image)

    def _padded_retry(self, image: np.ndarray) -> RawDetections:
        """A face that fills its image is detected only with something around it: the edges repeated."""
        height, width = image.shape[:2]
        matrix = box_onto_square(Box(0, 0, width, height).squared().grown(1.5), PADDED_RETRY_PX)
        square = warp(image, matrix, PADDED_RETRY_PX)
        boxes, scores, points = self._detect_in(square, Box(0, 0, PADDED_RETRY_PX, PADDED_RETRY_PX))
        back = invert(matrix)
        return transform(back, boxes.reshape(-1, 2, 2)).reshape(-1, 4), scores, transform(back, points)

    def _detect_in_tiles(self, image: np.ndarray) -> list[RawDetections]:
        """Faces small enough to lie completely in some tile; the larger ones are detected in the copy."""
        height, width = image.shape[:2]
        parts = []
        for tile in tiles(width, height, self.side_px):
            boxes, scores, points = self._detect_in(image, tile)
            small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= self.side_px * TILE_OVERLAP
            parts.append((boxes[small], scores[small], points[small]))
        return parts

    def _detect_in(self, image: np.ndarray, part: Box) -> RawDetections:
        """The faces of one part of the image in image pixels, before NMS."""
        scale = min(1.0, self.side_px / max(part.width, part.height))
        wide, high = (max(1, round(side * scale)) for side in (part.width, part.height))
        pil = Image.fromarray(image).resize(
            (wide, high),
            Image.Resampling.BILINEAR,
            (part.left, part.top, part.right, part.bottom),
            reducing_gap=2.0,
        )
        padded = [-(-side // STRIDE_PX) * STRIDE_PX for side in (high, wide)]
        x = np.zeros((1, 3, *padded), dtype=np.float32)  # black below and to the right
        x[0, :, :high, :wide] = np.asarray(pil).transpose(2, 0, 1)
        boxes, scores, points = self.infer(x)
        shift = np.array([part.left, part.top])
        per_px = np.array([part.width / wide, part.height / high])
        return boxes * np.tile(per_px, 2) + np.tile(shift, 2), scores, points * per_px + shift


def tiles(width: int, height: int, side_px: int) -> list[Box]:
    """Squares of `side_px` that cover an image and overlap by a quarter, so that a face no larger than that
    lies completely in one of them."""

    def starts(length: int) -> np.ndarray:
        if length <= side_px:
            return np.array([0])
        count = int(np.ceil((length - side_px) / (side_px * (1 - TILE_OVERLAP)))) + 1
        return np.linspace(0, length - side_px, count).round().astype(int)

    return [
        Box(int(x), int(y), min(int(x) + side_px, width), min(int(y) + side_px, height))
        for y in starts(height)
        for x in starts(width)
    ]
