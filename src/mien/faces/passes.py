"""The detection passes over an image: a copy of it, tiles of it where small faces are likely, and a padded retry.

The same for every network that detects faces; what is a network's own is one method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from typing import Self

import numpy as np
from PIL import Image

from mien.faces import Detection
from mien.faces.tiling import OVERLAP, Tile, inside, tile_scales, tiles
from mien.geometry import Box, box_onto_square, invert, nms, transform
from mien.preprocess import warp

STRIDE_PX = 32  # of the coarsest maps of the networks; sides are multiples of it
PADDED_RETRY_PX = 320
COARSE_SCALE = 1 / 3  # at which a large image is searched for hints of small faces
COARSE_TILE_PX = 1344  # one pass up to images of 4000 pixels
HINT_SCORE = 0.04  # of what may be a small face: the tiles around it are searched
HINT_PX = 18  # longer side of one, where it was seen
CROWD_SCORE, CROWD = 0.1, 3  # so many hints of this score, or faces in the tiles, and all tiles are searched

RawDetections = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (N, 4), scores (N,), points (N, 5, 2)


class MultiPassDetector(ABC):
    """A detector around one network.

    `threshold`: least confidence, 0..1. `iou_threshold`: of non-maximum suppression. `side_px`: the longer side of
    the copy that the network sees; a face must be about 10 pixels there to be detected. `tiles`: whether large
    images are also searched in overlapping squares of `side_px` at full resolution, for faces down to about 10
    pixels; None: where a coarse pass has hints of small faces.
    """

    name: str  # of the network, for records of what was made with it

    def __init__(self, *, threshold: float, iou_threshold: float, side_px: int, tiles: bool | None) -> None:
        self.threshold, self.iou_threshold, self.side_px, self.tiles = threshold, iou_threshold, side_px, tiles

    @abstractmethod
    def infer(self, x: np.ndarray, *, threshold: float | None = None) -> RawDetections:
        """Image (1, 3, H, W) float32 RGB 0..255, H and W multiples of 32 -> faces in its pixels.

        Only those above the threshold (None: the detector's), before NMS. The array may be changed.
        """

    @property
    def settings(self) -> dict[str, str | float | bool]:
        """What decides which faces are detected."""
        return {
            "network": self.name,
            "threshold": self.threshold,
            "iou_threshold": self.iou_threshold,
            "side_px": self.side_px,
            "tiles": "where small faces are likely" if self.tiles is None else self.tiles,
        }

    def with_options(self, *, threshold: float, tiles: bool | None) -> Self:
        """The same network under other options; its weights are not loaded again."""
        other = copy(self)
        other.threshold, other.tiles = threshold, tiles
        return other

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
        yield from self.first_passes(image)
        height, width = image.shape[:2]
        if self.tiles is None and max(width, height) > self.side_px:
            yield _joined(self._detect_in_tiles(image, self._all_tiles(width, height)))

    def first_passes(self, image: np.ndarray) -> Iterator[RawDetections]:
        """Those before all of a large image is searched in tiles without a hint."""
        yield _joined(self._copy_and_tiles(image))
        yield self._padded_retry(image)

    def _copy_and_tiles(self, image: np.ndarray) -> list[RawDetections]:
        """The faces of the copy, and of those tiles that are worth it."""
        height, width = image.shape[:2]
        reduced, per_px = image, np.ones(2)
        if COARSE_SCALE * max(width, height) > self.side_px:
            reduced = _resized(image, round(width * COARSE_SCALE), round(height * COARSE_SCALE))
            per_px = np.array([width / reduced.shape[1], height / reduced.shape[0]])
        lowest = min(HINT_SCORE, self.threshold)
        bounds = Box(0, 0, reduced.shape[1], reduced.shape[0])
        hints = _scaled(self._detect_in(reduced, bounds, threshold=lowest), per_px)
        parts = [_above(hints, self.threshold)]
        if self.tiles is False or max(width, height) <= self.side_px:
            return parts
        if self.tiles:
            return parts + self._detect_in_tiles(image, self._all_tiles(width, height))
        small = [_small(hints, HINT_PX * max(width, height) / self.side_px)]
        if reduced is not image and (len(small[0][0]) or not len(parts[0][0])):  # not where all faces are large
            for raw in self._coarse_pass(reduced, lowest):
                raw = _scaled(raw, per_px)
                parts.append(_above(raw, self.threshold))
                small.append(_small(raw, HINT_PX / COARSE_SCALE))
        boxes, scores = (np.concatenate(part) for part in zip(*small, strict=True))
        return parts + self._tiles_around(image, boxes, scores)

    def _tiles_around(self, image: np.ndarray, hints: np.ndarray, scores: np.ndarray) -> list[RawDetections]:
        """The faces of the tiles that own one of the hints (N, 4); of all tiles where these show a crowd."""
        height, width = image.shape[:2]
        todo = self._all_tiles(width, height)
        centres = (hints[:, :2] + hints[:, 2:]) / 2
        parts = list[RawDetections]()
        if (scores > CROWD_SCORE).sum() < CROWD:
            near = [(scale, tile) for scale, tile in todo if inside(tile.core, centres).any()]
            parts += self._detect_in_tiles(image, near)
            if sum(len(_small(part, HINT_PX / COARSE_SCALE)[0]) for part in parts) < CROWD:
                return parts
            todo = [each for each in todo if each not in near]
        return parts + self._detect_in_tiles(image, todo)

    def _all_tiles(self, width: int, height: int) -> list[tuple[float, Tile]]:
        return [
            (scale, tile)
            for scale in tile_scales(width, height, self.side_px)
            for tile in tiles(width, height, round(self.side_px / scale))
        ]

    def _coarse_pass(self, reduced: np.ndarray, threshold: float) -> Iterator[RawDetections]:
        """The faces and hints in a reduced image that is larger than `side_px`, in its pixels."""
        overlap_px = self.side_px * OVERLAP
        for tile in tiles(reduced.shape[1], reduced.shape[0], COARSE_TILE_PX, overlap_px=overlap_px):
            yield _owned(self._detect_in(reduced, tile.box, threshold=threshold, scale=1.0), tile, overlap_px)

    def _padded_retry(self, image: np.ndarray) -> RawDetections:
        """A face that fills its image is detected only with something around it: the edges repeated."""
        height, width = image.shape[:2]
        matrix = box_onto_square(Box(0, 0, width, height).squared().grown(1.5), PADDED_RETRY_PX)
        square = warp(image, matrix, PADDED_RETRY_PX)
        boxes, scores, points = self._detect_in(square, Box(0, 0, PADDED_RETRY_PX, PADDED_RETRY_PX))
        back = invert(matrix)
        return transform(back, boxes.reshape(-1, 2, 2)).reshape(-1, 4), scores, transform(back, points)

    def _detect_in_tiles(self, image: np.ndarray, todo: list[tuple[float, Tile]]) -> list[RawDetections]:
        """Faces small enough to lie completely in some tile; larger ones are detected at a coarser scale."""
        return [
            _owned(self._detect_in(image, tile.box, scale=scale), tile, self.side_px * OVERLAP / scale)
            for scale, tile in todo
        ]

    def _detect_in(
        self, image: np.ndarray, part: Box, *, threshold: float | None = None, scale: float | None = None
    ) -> RawDetections:
        """The faces of one part of the image in image pixels, before NMS.

        `scale`: of what the network sees; None: so that the longer side becomes `side_px`, if it is longer.
        """
        scale = min(1.0, self.side_px / max(part.width, part.height)) if scale is None else scale
        wide, high = (max(1, round(side * scale)) for side in (part.width, part.height))
        left, top = int(part.left), int(part.top)
        seen = _resized(image[top : int(part.bottom), left : int(part.right)], wide, high)
        padded = [-(-side // STRIDE_PX) * STRIDE_PX for side in (high, wide)]
        x = np.zeros((1, 3, *padded), dtype=np.float32)  # black below and to the right
        x[0, :, :high, :wide] = seen.transpose(2, 0, 1)
        boxes, scores, points = self.infer(x, threshold=threshold)
        shift = np.array([left, top])
        per_px = np.array([part.width / wide, part.height / high])
        return boxes * np.tile(per_px, 2) + np.tile(shift, 2), scores, points * per_px + shift


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Image (H, W, 3) uint8 at another size, without aliasing."""
    if image.shape[:2] == (height, width):
        return image
    pil = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(pil.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _joined(parts: list[RawDetections]) -> RawDetections:
    boxes, scores, points = (np.concatenate(part) for part in zip(*parts, strict=True))
    return boxes, scores, points


def _scaled(raw: RawDetections, per_px: np.ndarray) -> RawDetections:
    return raw[0] * np.tile(per_px, 2), raw[1], raw[2] * per_px


def _above(raw: RawDetections, threshold: float) -> RawDetections:
    kept = raw[1] > threshold
    return raw[0][kept], raw[1][kept], raw[2][kept]


def _owned(raw: RawDetections, tile: Tile, largest_px: float) -> RawDetections:
    """The faces whose centre lies in the tile's core, up to a size that such a face has completely in the tile."""
    boxes, scores, points = raw
    kept = inside(tile.core, (boxes[:, :2] + boxes[:, 2:]) / 2)
    kept &= (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= largest_px
    return boxes[kept], scores[kept], points[kept]


def _small(raw: RawDetections, largest_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) and scores (N,) of the faces up to a size, each once."""
    boxes, scores, _ = raw
    fits = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= largest_px
    boxes, scores = boxes[fits], scores[fits]
    kept = nms(boxes, scores, iou_threshold=0.1)
    return boxes[kept], scores[kept]
