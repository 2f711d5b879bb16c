"""Faces and backgrounds of the composites.

    mien data render --model ict_facekit.npz --out rendered
    python -m research.yunet_slim.data --muxspace muxspace.zip --ferplus ferplus.zip --rendered rendered \\
        --backgrounds FOLDER FOLDER --out detector

Writes one .npz per source that is not there yet: images (N, S, S, 3) uint8, boxes (N, 4) and five points (N, 5, 2)
in pixels of the image, as CenterFace detects them in the image enlarged and padded with its edges; rendered heads
have their stated points. Backgrounds in which CenterFace detects a face with any confidence are left out, and every
second one is held out (`is_held_out`).
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mien.datasets import dataset_info
from mien.datasets.samples import Samples
from mien.faces.centerface import CenterFaceDetector, default_file
from mien.geometry import box_array, five_points
from research.held_out import muxspace

MIN_SCORE = 0.5  # of the teacher for a face to be a label
BACKGROUND_PX = 1400  # longer side at most
MIN_BACKGROUND_PX = 200
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]  # image (S, S, 3), box (4,), points (5, 2)


def is_held_out(file: Path) -> bool:
    """Whether a background is for evaluation alone: by the hash of its content."""
    return digest(file)[0] % 2 == 1


def digest(file: Path) -> bytes:
    """SHA-256 of a file's content."""
    return hashlib.sha256(file.read_bytes()).digest()


def padded(image: np.ndarray, size_px: int) -> tuple[np.ndarray, float, int]:
    """The image enlarged to `size_px`, padded by a quarter with its edges: image, scale, margin."""
    scale = size_px / image.shape[0]
    margin = size_px // 4
    large = np.asarray(Image.fromarray(image).resize((size_px, size_px), Image.Resampling.BICUBIC))
    return np.pad(large, ((margin, margin), (margin, margin), (0, 0)), mode="edge"), scale, margin


def label(image: np.ndarray, teacher: CenterFaceDetector) -> tuple[np.ndarray, np.ndarray] | None:
    """Box (4,) and points (5, 2) of the face of a square image, if exactly one is detected."""
    large, scale, margin = padded(image, int(np.clip(2 * image.shape[0], 128, 256)))
    faces = [face for face in teacher.detect(large) if face.score >= MIN_SCORE]
    if len(faces) != 1:
        return None
    (box,) = box_array([faces[0].box])
    return (box - margin) / scale, (np.array(faces[0].points) - margin) / scale


def labelled(samples: Samples, size_px: int, teacher: CenterFaceDetector) -> Iterator[Labelled]:
    """Images of this size in which one face is detected."""
    for row in range(len(samples)):
        image = samples.image(row)
        if image.shape[:2] == (size_px, size_px) and (face := label(image, teacher)):
            yield image, *face


def rendered_heads(
    folder: Path, split: str, limit: int, teacher: CenterFaceDetector, rng: np.random.Generator
) -> tuple[list[Labelled], np.ndarray]:
    """Rendered heads with their stated points, and |yaw| in degrees.

    The box is CenterFace's, or around the points where it detects no face.
    """
    samples = dataset_info("rendered").samples(folder).of(split)
    samples = samples.take(rng.permutation(len(samples))[:limit])
    assert samples.points is not None
    assert samples.yaw_deg is not None
    faces: list[Labelled] = []
    for row, landmarks in enumerate(samples.points):
        image = samples.image(row)
        (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
        detected = label(image, teacher)
        box = detected[0] if detected else np.array([left, top - 0.25 * (bottom - top), right, bottom])
        faces.append((image, box, five_points(landmarks)))
    return faces, np.abs(samples.yaw_deg)


def write(out: Path, name: str, faces: Iterable[Labelled]) -> None:
    """One source as NAME.npz."""
    images, boxes, points = zip(*faces, strict=True)
    stacked = np.array(boxes, np.float32), np.array(points, np.float32)
    np.savez(out / f"{name}.npz", images=np.stack(images), boxes=stacked[0], points=stacked[1])
    print(f"{name}: {len(images)} faces", flush=True)


def read_backgrounds(files: Iterable[Path]) -> Iterator[np.ndarray]:
    """Images at most BACKGROUND_PX wide, each content once."""
    known = set()
    for file in files:
        image = Image.open(file).convert("RGB")
        image.thumbnail((BACKGROUND_PX, BACKGROUND_PX))
        pixels = np.asarray(image)
        content = hashlib.sha256(pixels.tobytes()).digest()
        if min(pixels.shape[:2]) >= MIN_BACKGROUND_PX and content not in known:
            yield pixels
        known.add(content)


def image_files(folders: list[Path]) -> list[Path]:
    """All images below the folders."""
    return [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=4000, help="images of each source at most")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    teacher = CenterFaceDetector(default_file(), threads=1, threshold=0.25)
    for name, samples, size_px in (
        ("muxspace", muxspace(options.muxspace), 200),
        ("ferplus", dataset_info("ferplus").samples(options.ferplus), 48),
    ):
        train = samples.of("train")
        train = train.take(rng.permutation(len(train))[: options.limit])
        if not (options.out / f"{name}.npz").exists():
            write(options.out, name, labelled(train, size_px, teacher))
    write(options.out, "rendered", rendered_heads(options.rendered, "train", options.limit // 2, teacher, rng)[0])
    files = [file for file in image_files(options.backgrounds) if not is_held_out(file)]
    empty = [image for image in read_backgrounds(files) if not teacher.detect(image)]
    np.savez(options.out / "backgrounds.npz", *empty)
    print(f"backgrounds: {len(empty)}", flush=True)


if __name__ == "__main__":
    main()
