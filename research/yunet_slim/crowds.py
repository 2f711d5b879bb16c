"""Small faces in large images: which are detected by default, with `--small-faces` and without any tiles.

    python -m research.yunet_slim.crowds --muxspace muxspace.zip --backgrounds FOLDER --photos FOLDER

Heads of held-out people are pasted on images without faces. Prints five tables: crowds; a few small faces among
large ones; one face of each size in images of several shapes, at random places; images without a face; the
processor time of ordinary photos as a ratio to a search without tiles, in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mien.faces import Detection
from mien.faces.passes import MultiPassDetector
from mien.geometry import Box, box_onto_square
from mien.media.images import read_image
from mien.pipeline.detectors import yunet_slim
from mien.preprocess import warp
from research.held_out import muxspace
from research.yunet_slim.composites import ellipse

HEAD_PX = 256
CROWDS = (  # width, height, faces, smallest and largest in pixels
    (1920, 1280, 175, 12, 60), (1920, 1280, 60, 20, 80), (4000, 2600, 150, 20, 120), (4000, 3000, 12, 20, 80),
    (6000, 4000, 200, 20, 60), (16000, 2000, 150, 20, 200), (2000, 16000, 150, 20, 200),
)  # fmt: skip
MIXTURES = (  # width, height, large faces, small faces, smallest and largest of them in pixels; two images' worth
    (1280, 960, 2, 4, 12, 40), (1920, 1280, 3, 6, 12, 48), (2560, 1440, 3, 6, 14, 60), (4000, 3000, 3, 8, 20, 80),
    (6000, 4000, 4, 10, 20, 90), (4000, 3000, 0, 12, 20, 80), (12000, 2000, 3, 10, 20, 80),
)  # fmt: skip
LARGE = (0.12, 0.35)  # of the height
SHAPES = ((640, 480), (1920, 1080), (4000, 3000), (16000, 1500), (1500, 16000))
SIZES = (12, 16, 24, 32, 48, 64, 96, 128, 170, 240, 340, 480, 680, 960, 1400, 2000)

Head = tuple[np.ndarray, np.ndarray]  # image (S, S, 3) uint8, box of the face (4,)


def heads(archive: Path, count: int) -> list[Head]:
    """Heads of muxspace's test people."""
    samples, detector, kept = muxspace(archive), yunet_slim(threads=1, tiles=False), list[Head]()
    for row in np.random.default_rng(0).permutation(np.flatnonzero(samples.split == "test")):
        image = samples.image(row)
        detections = detector.detect(image)
        if len(detections) == 1 and detections[0].box.width >= 70:
            box = detections[0].box
            square = box.squared().grown(1.7)
            k = HEAD_PX / square.width
            inside = np.array([box.left - square.left, box.top - square.top, box.right - square.left,
                               box.bottom - square.top]) * k  # fmt: skip
            kept.append((warp(image, box_onto_square(square, HEAD_PX), HEAD_PX), inside))
        if len(kept) == count:
            break
    return kept


def paste(canvas: np.ndarray, head: Head, size: float, x: float, y: float) -> np.ndarray:
    """A head whose face has its longer side `size` and its corner at (x, y) -> its box (4,)."""
    image, box = head
    side = max(8, round(HEAD_PX * size / (box[2:] - box[:2]).max()))
    small, box = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS), box * (side / HEAD_PX)
    span = np.array([-0.15, -0.25, 0.15, 0.1]) * np.tile(box[2:] - box[:2], 2)
    mask = ellipse(side, box + span)[..., None]
    left, top = round(x - box[0]), round(y - box[1])
    clip = Box(left, top, left + side, top + side).clipped(canvas.shape[1], canvas.shape[0])
    rows, columns = slice(int(clip.top), int(clip.bottom)), slice(int(clip.left), int(clip.right))
    part = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    under = canvas[rows, columns]
    canvas[rows, columns] = (mask[part] * np.asarray(small)[part] + (1 - mask[part]) * under).astype(np.uint8)
    return box + np.array([left, top, left, top])


def crowd(
    canvas: np.ndarray,
    faces: list[Head],
    count: int,
    low: float,
    high: float,
    rng: np.random.Generator,
    *,
    taken: np.ndarray | None = None,
) -> np.ndarray:
    """Paste `count` heads of log-uniform sizes where there is room -> boxes (N, 4), after those `taken`."""
    boxes = list[np.ndarray]([] if taken is None else taken)
    for size in np.sort(np.exp(rng.uniform(np.log(low), np.log(high), count)))[::-1]:
        for _ in range(40):
            x, y = rng.uniform(0, canvas.shape[1] - size), rng.uniform(0, canvas.shape[0] - size)
            near = np.array([x - 0.3 * size, y - 0.4 * size, x + 1.3 * size, y + 1.4 * size])
            if all((near[2:] < box[:2]).any() or (near[:2] > box[2:]).any() for box in boxes):
                boxes.append(paste(canvas, faces[rng.integers(len(faces))], size, x, y))
                break
    return np.array(boxes).reshape(-1, 4)


def counted(boxes: np.ndarray, detections: list[Detection]) -> tuple[int, int, int]:
    """Faces found, faces found twice, and detections of nothing."""
    hits, false = np.zeros(len(boxes), int), 0
    for face in detections:
        x, y = face.box.centre
        within = (boxes[:, 0] < x) & (x < boxes[:, 2]) & (boxes[:, 1] < y) & (y < boxes[:, 3])
        hits += within & (np.cumsum(within) == 1)
        false += not within.any()
    return int((hits > 0).sum()), int((hits > 1).sum()), false


def filled(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of an image, scaled to cover this size."""
    k = max(width / image.shape[1], height / image.shape[0])
    left, top = (image.shape[1] - width / k) / 2, (image.shape[0] - height / k) / 2
    part = (left, top, left + width / k, top + height / k)
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, part, reducing_gap=2))


def seconds(detector: MultiPassDetector, image: np.ndarray, runs: int = 5) -> float:
    """The least processor time of a detection."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        detector.detect(image)
        times.append(time.process_time() - start)
    return min(times)


class Tables:
    """What the script prints."""

    def __init__(self, archive: Path, backgrounds: Path) -> None:
        self.faces, self.rng = heads(archive, 100), np.random.default_rng(0)
        self.empty = [read_image(path) for path in sorted(backgrounds.iterdir())]
        self.wide = [image for image in self.empty if max(image.shape) >= 1500 and image.std() > 25]
        searches = {"no tiles": False, "default": None, "all tiles": True}
        self.detectors = {name: yunet_slim(threads=1, tiles=tiles) for name, tiles in searches.items()}

    def crowds(self) -> None:
        print("| image | faces | px | " + self._columns())
        for width, height, count, low, high in CROWDS:
            total, cells = self._detected(width, height, 2, [(count, low, high)])
            print(f"| {width} x {height} | {total} | {low} to {high} | {cells} |", flush=True)

    def mixtures(self, repeats: int) -> None:
        print("| image | large | small | px | " + self._columns())
        for width, height, large, small, low, high in MIXTURES:
            parts = [(large, LARGE[0] * height, LARGE[1] * height), (small, low, high)]
            total, cells = self._detected(width, height, repeats, parts)
            print(f"| {width} x {height} | {large} | {small} | {low} to {high} | {total} | {cells} |", flush=True)

    def _columns(self) -> str:
        return " | ".join(f"{name}: found, twice, false" for name in self.detectors)

    def _detected(
        self, width: int, height: int, repeats: int, parts: Sequence[tuple[int, float, float]]
    ) -> tuple[int, str]:
        """Faces in some images of this size, and what each detector finds of them.

        `parts`: how many faces, from how many to how many pixels large.
        """
        sums, total = {name: np.zeros(3, int) for name in self.detectors}, 0
        for _ in range(repeats):
            canvas = filled(self.wide[self.rng.integers(len(self.wide))], width, height)
            boxes = None
            for count, low, high in parts:
                boxes = crowd(canvas, self.faces, count, low, high, self.rng, taken=boxes)
            assert boxes is not None
            total += len(boxes)
            for name, detector in self.detectors.items():
                sums[name] += counted(boxes, detector.detect(canvas))
        return total, " | ".join(", ".join(map(str, values.tolist())) for values in sums.values())

    def alone(self, repeats: int) -> None:
        for name in ("default", "all tiles"):
            print(f"one face, {name}: found of {repeats}\n| px | " + " | ".join(f"{w} x {h}" for w, h in SHAPES))
            for size in SIZES:
                cells = [
                    str(self._detected_alone(name, size, shape, repeats)) if size <= min(shape) else ""
                    for shape in SHAPES
                ]
                print(f"| {size} | " + " | ".join(cells) + " |", flush=True)

    def _detected_alone(self, name: str, size: int, shape: tuple[int, int], repeats: int) -> int:
        """How often one face is detected once, and nothing else."""
        hits = 0
        for repeat in range(repeats):
            rng = np.random.default_rng([size, shape[0], repeat])
            canvas = filled(self.wide[rng.integers(len(self.wide))], *shape)
            x, y = rng.uniform(0, shape[0] - size), rng.uniform(0, shape[1] - size)
            box = paste(canvas, self.faces[rng.integers(len(self.faces))], size, x, y)
            hits += counted(box[None], self.detectors[name].detect(canvas)) == (1, 0, 0)
        return hits

    def without_faces(self) -> None:
        sums = {name: sum(len(each.detect(image)) for image in self.empty) for name, each in self.detectors.items()}
        print(f"detections in {len(self.empty)} images without a face: {sums}", flush=True)

    def times(self, photos: Path) -> None:
        for path in sorted(photos.iterdir()):
            image = read_image(path)
            times = {name: seconds(detector, image) for name, detector in self.detectors.items()}
            ratios = {name: round(value / times["no tiles"], 2) for name, value in times.items()}
            print(path.name, image.shape[1::-1], f"{1000 * times['no tiles']:.0f} ms", ratios, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, required=True, help="images without faces")
    parser.add_argument("--photos", type=Path, required=True, help="ordinary photos")
    parser.add_argument("--repeats", type=int, default=3, help="of each mixture, and of each face alone")
    parser.add_argument("--tables", nargs="+", default=["crowds", "mixtures", "alone", "empty", "times"])
    options = parser.parse_args()
    tables = Tables(options.muxspace, options.backgrounds)
    if "times" in options.tables:
        tables.times(options.photos)
    if "empty" in options.tables:
        tables.without_faces()
    if "crowds" in options.tables:
        tables.crowds()
    if "mixtures" in options.tables:
        tables.mixtures(options.repeats)
    if "alone" in options.tables:
        tables.alone(options.repeats)


if __name__ == "__main__":
    main()
