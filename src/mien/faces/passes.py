"""The detection passes over an image: a copy of it, tiles of it where it has small faces, and a padded retry.

The same for every network that detects faces; what is a network's own is one method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from typing import Self

import numpy as np

from mien.faces import Detection
from mien.faces.shrinking import resized, shrink
from mien.faces.tiling import LEVEL_STEP, OVERLAP, Tile, inside, tile_scales, tiles
from mien.geometry import Box, box_onto_square, invert, nms, transform
from mien.preprocess import warp

STRIDE_PX = 32  # of the coarsest maps of the networks; sides are multiples of it
PADDED_RETRY_PX = 320
COARSE = 3  # images above so many sides of the copy are also seen at a third of their size
COARSER = 1.02  # ... and again at a quarter of that, as long as it is larger than the copy
COARSE_TILE_PX = 1344  # the coarse pass sees this much at a time: images up to 4000 pixels at once
HINT_SCORE = 0.0005  # of what may be a small face, in the copy or in the coarse pass
HINT_PX = 28  # longer side of one, at most; of one that is clear already
CLEAR_HINT_PX = 18
MOST_HINTS = 100  # of each part, before those of one face are joined
GLIMPSES = 9  # hints, the likeliest first, that are looked at in full size, all at once
MEGAPIXELS = 6  # of an image for which there are so many glimpses more
GLIMPSE_PX, GLIMPSE_FACES = 128, 3.0  # least side of what is seen, in pixels and in faces
GLIMPSE_SCORE = 0.2  # of a small face there; of 25 photos and wallpapers without one, none reached 0.13

RawDetections = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (N, 4), scores (N,), points (N, 5, 2)


class MultiPassDetector(ABC):
    """A detector around one network.

    `threshold`: least confidence, 0..1. `iou_threshold`: of non-maximum suppression. `side_px`: the longer side of
    the copy that the network sees; a face must be about 10 pixels there to be detected. `tiles`: whether large
    images are also searched in overlapping squares of `side_px` at full resolution, for faces down to about 10
    pixels; None: in images in which a coarse pass and glimpses at full size show small faces.
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
            "tiles": "where there are small faces" if self.tiles is None else self.tiles,
        }

    def with_options(self, *, threshold: float, tiles: bool | None) -> Self:
        """The same network under other options; its weights are not loaded again."""
        other = copy(self)
        other.threshold, other.tiles = threshold, tiles
        return other

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Image (H, W, 3) uint8 RGB of any size -> its faces by decreasing confidence."""
        for raw in self.passes(image):
            if len(raw[1]):
                break
        return self._detections(raw, *image.shape[:2])

    def _detections(self, raw: RawDetections, height: int, width: int) -> list[Detection]:
        """The faces of an image of this size by decreasing confidence, after NMS."""
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

    def with_tiles(self, tiles: bool | None) -> Self:
        """The same detector with another `tiles`; the network is shared."""
        other = copy(self)
        other.tiles = tiles
        return other

    def detect_unless_small(self, image: np.ndarray) -> list[Detection] | None:
        """What `detect` gives without tiles; None where it would search in tiles because of a small face."""
        without = self.with_tiles(False)
        if max(image.shape[:2]) <= self.side_px:
            return without.detect(image)
        parts, hints, scores = self._coarse_passes(image)
        if self._has_small_faces(image, hints, scores):
            return None
        return self._detections(parts[0], *image.shape[:2]) if len(parts[0][1]) else without.detect(image)

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
        """The faces of the copy, and of all tiles where the image has small faces."""
        height, width = image.shape[:2]
        if self.tiles is None and max(width, height) > self.side_px:
            parts, hints, scores = self._coarse_passes(image)
            tiled = self._has_small_faces(image, hints, scores)
        else:
            reduced, factor = self._reduced(image)
            parts = [_scaled(self._detect_in(reduced, _bounds(reduced)), factor)]
            tiled = bool(self.tiles)
        return parts + self._detect_in_tiles(image, self._all_tiles(width, height)) if tiled else parts

    def _coarse_passes(self, image: np.ndarray) -> tuple[list[RawDetections], np.ndarray, np.ndarray]:
        """The faces of the copy and of a larger one; boxes (N, 4) and scores (N,) of what may be small faces."""
        lowest = min(HINT_SCORE, self.threshold)
        reduced, factor = self._reduced(image)
        raw = _scaled(self._detect_in(reduced, _bounds(reduced), threshold=lowest), factor)
        parts = [_above(raw, self.threshold)]
        small = [self._hints(raw, max(image.shape[:2]) / self.side_px)]
        for raw in self._coarser_tiles(reduced, factor, lowest):
            parts.append(_above(raw, self.threshold))
            small.append(self._hints(raw, COARSE))
        boxes, scores = (np.concatenate(part) for part in zip(*small, strict=True))
        large = np.concatenate([_larger(part, HINT_PX * COARSE) for part in parts])
        free = ~_within(large, boxes) & _within(
            np.array([[0, 0, *image.shape[1::-1]]]), boxes
        )  # an eye is no small face
        boxes, scores = boxes[free], scores[free]
        kept = nms(boxes, scores, iou_threshold=0.1)
        return parts, boxes[kept], scores[kept]

    def _coarser_tiles(self, reduced: np.ndarray, factor: int, threshold: float) -> Iterator[RawDetections]:
        """A large image at a third of its size, and at further ones down to the copy's; in its pixels."""
        overlap_px = self.side_px * OVERLAP
        while factor >= COARSE and max(reduced.shape[:2]) > COARSER * self.side_px:
            for tile in tiles(reduced.shape[1], reduced.shape[0], COARSE_TILE_PX, overlap_px=overlap_px):
                raw = self._detect_in(reduced, tile.box, threshold=threshold, scale=1.0)
                yield _scaled(_owned(raw, tile, overlap_px), factor)
            reduced, factor = shrink(reduced, LEVEL_STEP), factor * LEVEL_STEP

    def _hints(self, raw: RawDetections, px: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) and scores (N,) of what may be small faces; `px`: of the image per pixel of the pass."""
        boxes, scores, _ = raw
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
        small = sides <= np.where(scores > self.threshold, CLEAR_HINT_PX * px, HINT_PX * px)
        likeliest = np.flatnonzero(small)[np.argsort(-scores[small])[:MOST_HINTS]]
        return boxes[likeliest], scores[likeliest]

    def _has_small_faces(self, image: np.ndarray, hints: np.ndarray, scores: np.ndarray) -> bool:
        """Whether one of the likeliest hints (N, 4) looks like a small face at full size."""
        likeliest = hints[np.argsort(-scores)]
        runs = 1 + image.shape[0] * image.shape[1] // (MEGAPIXELS * 1_000_000)
        parts = [likeliest[i * GLIMPSES : (i + 1) * GLIMPSES] for i in range(runs)]
        return any(self._any_face(image, part) for part in parts if len(part))

    def _any_face(self, image: np.ndarray, hints: np.ndarray) -> bool:
        """Whether what is around one of the hints (N, 4), side by side in one run, looks like a small face."""
        columns = int(np.ceil(np.sqrt(len(hints))))
        side_px = columns * GLIMPSE_PX
        x = np.zeros((1, 3, side_px, side_px), dtype=np.float32)
        centres, largest_px = [], []
        for i, hint in enumerate(hints):
            seen, px, (x_px, y_px) = _around(image, Box(*hint.tolist()))
            top, left = (GLIMPSE_PX * part for part in divmod(i, columns))
            x[0, :, top : top + seen.shape[0], left : left + seen.shape[1]] = seen.transpose(2, 0, 1)
            centres.append((left + x_px, top + y_px))
            largest_px.append(HINT_PX * max(image.shape[:2]) / self.side_px / px)
        boxes, _, _ = self.infer(x, threshold=GLIMPSE_SCORE)
        off = np.abs((boxes[:, None, :2] + boxes[:, None, 2:]) / 2 - np.array(centres)).max(axis=2)  # (M, N)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)[:, None]
        return bool(((off < GLIMPSE_PX / 4) & (sides <= np.array(largest_px))).any())

    def _reduced(self, image: np.ndarray) -> tuple[np.ndarray, int]:
        """The image with blocks of pixels averaged, and their side: 1, 2 or 3. The copy is made of it."""
        factor = min(COARSE, max(1, max(image.shape[:2]) // self.side_px))
        return shrink(image, factor), factor

    def _all_tiles(self, width: int, height: int) -> list[tuple[float, Tile]]:
        return [
            (scale, tile)
            for scale in tile_scales(width, height, self.side_px)
            for tile in tiles(width, height, round(self.side_px / scale))
        ]

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
        seen = resized(image[top : int(part.bottom), left : int(part.right)], wide, high)
        padded = [-(-side // STRIDE_PX) * STRIDE_PX for side in (high, wide)]
        x = np.zeros((1, 3, *padded), dtype=np.float32)  # black below and to the right
        x[0, :, :high, :wide] = seen.transpose(2, 0, 1)
        boxes, scores, points = self.infer(x, threshold=threshold)
        shift = np.array([left, top])
        per_px = np.array([part.width / wide, part.height / high])
        return boxes * np.tile(per_px, 2) + np.tile(shift, 2), scores, points * per_px + shift


def _joined(parts: list[RawDetections]) -> RawDetections:
    boxes, scores, points = (np.concatenate(part) for part in zip(*parts, strict=True))
    return boxes, scores, points


def _scaled(raw: RawDetections, factor: int) -> RawDetections:
    return raw[0] * factor, raw[1], raw[2] * factor


def _bounds(image: np.ndarray) -> Box:
    return Box(0, 0, image.shape[1], image.shape[0])


def _above(raw: RawDetections, threshold: float) -> RawDetections:
    kept = raw[1] > threshold
    return raw[0][kept], raw[1][kept], raw[2][kept]


def _owned(raw: RawDetections, tile: Tile, largest_px: float) -> RawDetections:
    """The faces whose centre lies in the tile's core, up to a size that such a face has completely in the tile."""
    boxes, scores, points = raw
    kept = inside(tile.core, (boxes[:, :2] + boxes[:, 2:]) / 2)
    kept &= (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= largest_px
    return boxes[kept], scores[kept], points[kept]


def _around(image: np.ndarray, hint: Box) -> tuple[np.ndarray, float, tuple[float, float]]:
    """Image around a hint, up to GLIMPSE_PX a side; pixels of the whole per pixel of it; the hint's place in it."""
    height, width = image.shape[:2]
    side = round(max(GLIMPSE_PX, GLIMPSE_FACES * hint.width, GLIMPSE_FACES * hint.height))
    (x, y), px = hint.centre, side / GLIMPSE_PX
    left, top = (max(0, min(int(c - side / 2), length - side)) for c, length in ((x, width), (y, height)))
    part = image[top : top + side, left : left + side]
    seen = resized(part, max(1, round(part.shape[1] / px)), max(1, round(part.shape[0] / px)))
    return seen, px, ((x - left) / px, (y - top) / px)


def _larger(raw: RawDetections, than_px: float) -> np.ndarray:
    """The boxes (N, 4) of faces above a size."""
    return raw[0][(raw[0][:, 2:] - raw[0][:, :2]).max(axis=1, initial=0) > than_px]


def _within(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 4) have their centre in one of the boxes (M, 4): (N,) bool."""
    x, y = ((inner[:, None, i] + inner[:, None, i + 2]) / 2 for i in (0, 1))  # (N, 1)
    return ((x > outer[:, 0]) & (x < outer[:, 2]) & (y > outer[:, 1]) & (y < outer[:, 3])).any(axis=1)
