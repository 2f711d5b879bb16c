"""Photos rotated by many angles: detected faces, roll error, and how many certain predictions are right.

    python -m research.yunet_slim.any_roll --muxspace muxspace.zip --images 100

People of muxspace's test split, one photo each, rotated clockwise on black. With `--surround` each photo goes on
beyond its edges, reflected, as around a head that leans, and nothing is black. The truth is what prediction gives
for the photo as it is: a face is detected where its box holds the middle of that face, and its roll is that face's
roll plus the angle. Expressions are compared with the label.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import mien
from mien.labels import FERPLUS
from research.held_out import muxspace

ANGLES = (0, 45, 90, 135, 180, 225, 270, 315)


def rotated(image: np.ndarray, angle: float, point: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The image (H, W, 3) clockwise by `angle` degrees on a canvas that holds all of it, and a point of it."""
    canvas = np.asarray(Image.fromarray(image).rotate(-angle, Image.Resampling.BILINEAR, expand=True))
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    from_middle = np.array([[cos, -sin], [sin, cos]]) @ (np.array(point) - np.array(image.shape[1::-1]) / 2)
    return canvas, from_middle + np.array(canvas.shape[1::-1]) / 2


def surrounded(image: np.ndarray, angle: float, point: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """As `rotated`, of the image reflected beyond its edges: a square of 4/3 of its height, none of it black."""
    pad = image.shape[0] // 2
    wide = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    canvas, at = rotated(wide, angle, (point[0] + pad, point[1] + pad))
    half = image.shape[0] // 2 + image.shape[0] // 6
    top, left = canvas.shape[0] // 2 - half, canvas.shape[1] // 2 - half
    return np.ascontiguousarray(canvas[top : top + 2 * half, left : left + 2 * half]), at - [left, top]


def difference(roll: float, truth: float) -> float:
    """Of two angles, in degrees without sign."""
    return abs((roll - truth + 180) % 360 - 180)


def main() -> None:
    """Print one line per angle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--split", default="test")
    parser.add_argument("--angles", type=int, nargs="+", default=ANGLES)
    parser.add_argument("--no-detect", action="store_true")
    parser.add_argument("--surround", action="store_true")
    options = parser.parse_args()
    samples = muxspace(options.muxspace)
    assert samples.subject is not None
    people = np.unique(samples.subject.astype(str), return_index=True)[1]
    rows = np.random.default_rng(0).permutation(people[samples.split[people] == options.split])[: options.images]
    recognizer = mien.load(threads=1)
    detect = not options.no_detect
    photos = [(row, samples.image(row)) for row in rows]
    known = [(row, image, faces[0]) for row, image in photos if (faces := recognizer.predict(image, detect=detect))]
    print("| angle | detected | more faces | roll within 10° | certain | right of these | wrong |")
    turn = surrounded if options.surround else rotated
    for angle in options.angles:
        counts = np.zeros(6, dtype=int)  # photos, detected, further faces, roll right, certain, certain and right
        for row, image, upright in known:
            assert upright.pose is not None
            canvas, middle = turn(image, angle, upright.box.centre)
            faces = recognizer.predict(canvas, detect=detect)
            x, y = middle
            face = next((f for f in faces if f.box.left < x < f.box.right and f.box.top < y < f.box.bottom), None)
            counts[0] += 1
            counts[2] += len(faces) - (face is not None)
            if face is None or face.pose is None or face.expression is None:
                continue
            right = face.expression.top == FERPLUS[samples.label[row]]
            close = difference(face.pose.roll_deg, upright.pose.roll_deg + angle) <= 10
            counts[[1, 3, 4, 5]] += [True, close, bool(face.certain), bool(face.certain) and right]
        total, detected, further, close, certain, right = counts.tolist()
        print(
            f"| {angle} | {detected} of {total} | {further} | {close} | {certain} | {right} | {certain - right} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
