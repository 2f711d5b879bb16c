"""Faces to train the roll network on, and what is no face.

    python -m research.roll.data --ferplus ferplus.zip --muxspace muxspace.zip --backgrounds FOLDER --out roll.npz

Training images only. Each face is a canvas of 112 px that shows 2.2 times its box, with the roll that its landmarks
have in the upright image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mien.datasets import dataset_info
from mien.datasets.samples import Samples
from mien.faces.pose import head_pose
from mien.geometry import Box, box_onto_square
from mien.media.images import read_image
from mien.pipeline.detectors import yunet_slim
from mien.pipeline.loading import default_landmarker
from mien.preprocess import warp
from research.held_out import muxspace

CANVAS_PX = 112
SHOWN = 2.2  # side of the canvas in face boxes
MAX_ROLL_DEG = 40  # of a photo as it was taken; what exceeds it is no face, or its landmarks are wrong
MIN_SCORE = 0.6


def faces(samples: Samples, limit: int, *, detect: bool) -> Iterator[tuple[np.ndarray, float]]:
    """Canvas (S, S, 3) uint8 and roll in degrees, of training images in random order."""
    detector, landmarker = yunet_slim(threads=1), default_landmarker(threads=1)
    rows = np.flatnonzero(samples.split == "train")
    count = 0
    for row in np.random.default_rng(0).permutation(rows):
        image = samples.image(row)
        box = Box(0, 0, image.shape[1], image.shape[0]).grown(0.85)
        if detect:
            detections = detector.detect(image)
            if len(detections) != 1 or detections[0].score < MIN_SCORE:
                continue
            box = detections[0].box
        roll = head_pose(landmarker.locate(image, [box])[0]).roll_deg
        if abs(roll) > MAX_ROLL_DEG:
            continue
        yield warp(image, box_onto_square(box.squared().grown(SHOWN), CANVAS_PX), CANVAS_PX), roll
        count += 1
        if count == limit:
            return


def backgrounds(folder: Path, count: int) -> np.ndarray:
    """Random parts (count, S, S, 3) of the images below a folder."""
    rng = np.random.default_rng(1)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".png", ".webp"})
    parts: list[np.ndarray] = []
    for path in rng.permutation(np.array(files, dtype=object)):
        image = read_image(path)
        for _ in range(-(-count // len(files))):
            side = float(min(image.shape[:2]) * np.exp(rng.uniform(-3, 0)))
            left, top = rng.uniform(0, image.shape[1] - side), rng.uniform(0, image.shape[0] - side)
            part = Image.fromarray(image).resize(
                (CANVAS_PX, CANVAS_PX), Image.Resampling.BILINEAR, (left, top, left + side, top + side)
            )
            parts.append(np.asarray(part))
    return np.stack(parts[:count])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, required=True, help="images without faces")
    parser.add_argument("--limit", type=int, default=7000, help="faces of each set")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    pairs = list(faces(dataset_info("ferplus").samples(options.ferplus), options.limit, detect=False))
    pairs += faces(muxspace(options.muxspace), options.limit // 2, detect=True)
    canvases, rolls = zip(*pairs, strict=True)
    np.savez(
        options.out,
        faces=np.stack(canvases),
        rolls=np.array(rolls, dtype=np.float32),
        backgrounds=backgrounds(options.backgrounds, options.limit // 4),
    )


if __name__ == "__main__":
    main()
