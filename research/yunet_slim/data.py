"""Faces, backgrounds and composites of both for the detector.

    python -m research.yunet_slim.data --muxspace muxspace.zip --ferplus ferplus.zip --views views \\
        --backgrounds FOLDER FOLDER --out detector

Writes one .npz per source that is not there yet: images (N, S, S, 3) uint8, boxes (N, 4), five points (N, 5, 2),
both in pixels of the image, as CenterFace places them on the image itself, enlarged and with its edges
repeated; on rendered heads the points are the known ones. Backgrounds in which CenterFace sees a face, however
unsure, are left out, and every second one is held out (`held_out`).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from mien.faces.centerface import CenterFaceDetector, default_file
from mien.geometry import five_points
from mien.media.images import read_image
from research.default.prepare import ferplus_rows, muxspace_rows

LEAST_SCORE = 0.5  # of a teacher for a face to be learnt
BACKGROUND_PX = 1400  # longer side at most
LEAST_BACKGROUND_PX = 200


def held_out(file: Path) -> bool:
    """Whether a background is for the judgement alone: by the hash of its content."""
    return hashlib.sha256(file.read_bytes()).digest()[0] % 2 == 1


def surrounded(image: np.ndarray, size_px: int) -> tuple[np.ndarray, float, int]:
    """The image enlarged to `size_px` with half as much of its repeated edge around: image, scale, margin."""
    scale = size_px / image.shape[0]
    margin = size_px // 4
    large = np.asarray(Image.fromarray(image).resize((size_px, size_px), Image.Resampling.BICUBIC))
    return np.pad(large, ((margin, margin), (margin, margin), (0, 0)), mode="edge"), scale, margin


def place(image: np.ndarray, teacher: CenterFaceDetector) -> tuple[np.ndarray, np.ndarray] | None:
    """Box (4,) and points (5, 2) of the face of a square image, if exactly one is seen."""
    large, scale, margin = surrounded(image, int(np.clip(2 * image.shape[0], 128, 256)))
    found = [face for face in teacher.detect(large) if face.score >= LEAST_SCORE]
    if len(found) != 1:
        return None
    box = np.array([found[0].box.left, found[0].box.top, found[0].box.right, found[0].box.bottom])
    return (box - margin) / scale, (np.array(found[0].points) - margin) / scale


def write(out: Path, name: str, images: list, boxes: list, points: list) -> None:
    np.savez(
        out / f"{name}.npz",
        images=np.stack(images),
        boxes=np.array(boxes, np.float32),
        points=np.array(points, np.float32),
    )
    print(f"{name}: {len(images)} faces", flush=True)


def pack_archive(archive: Path, rows: list[dict[str, str]], size_px: int, teacher: CenterFaceDetector) -> tuple:
    """Images of this size with their boxes and points."""
    kept: tuple[list, list, list] = ([], [], [])
    with zipfile.ZipFile(archive) as file:
        for row in rows:
            image = read_image(file.read(row["name"]))
            if image.shape[:2] == (size_px, size_px) and (placed := place(image, teacher)):
                for part, value in zip(kept, (image, *placed), strict=True):
                    part.append(value)
    return kept


def pack_views(
    folder: Path, split: str, limit: int, teacher: CenterFaceDetector, rng: np.random.Generator
) -> tuple[tuple[list, list, list], np.ndarray]:
    """Rendered heads with their known points, and how far each is turned in degrees.

    The box is CenterFace's, or around the points where it sees no face.
    """
    with (folder / "views.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    kept: tuple[list, list, list] = ([], [], [])
    turns = []
    for i in rng.permutation(len(rows))[:limit]:
        image = read_image(folder / rows[i]["file"])
        landmarks = np.array(rows[i]["landmarks"].split(), float).reshape(68, 2)
        placed = place(image, teacher)
        (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
        box = placed[0] if placed else np.array([left, top - 0.25 * (bottom - top), right, bottom])
        for part, value in zip(kept, (image, box, five_points(landmarks)), strict=True):
            part.append(value)
        turns.append(abs(float(rows[i]["yaw_deg"])))
    return kept, np.array(turns)


def face_free(folders: list[Path], teacher: CenterFaceDetector) -> list[np.ndarray]:
    """Images below the folders, each content once, none held out and none with a face."""
    kept, seen = [], set()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"} or held_out(file):
                continue
            image = Image.open(file).convert("RGB")
            image.thumbnail((BACKGROUND_PX, BACKGROUND_PX))
            pixels = np.asarray(image)
            digest = hashlib.sha256(pixels.tobytes()).digest()
            if min(pixels.shape[:2]) >= LEAST_BACKGROUND_PX and digest not in seen and not teacher.detect(pixels):
                kept.append(pixels)
            seen.add(digest)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--views", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=4000, help="images of each source at most")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    teacher = CenterFaceDetector(default_file(), threads=1, threshold=0.25)
    for name, archive, size_px, rows_of in (
        ("muxspace", options.muxspace, 200, muxspace_rows),
        ("ferplus", options.ferplus, 48, ferplus_rows),
    ):
        if (options.out / f"{name}.npz").exists():
            continue
        with zipfile.ZipFile(archive) as file:
            rows = [row for row in rows_of(file) if row["split"] == "train"]
        picked = [rows[i] for i in rng.permutation(len(rows))[: options.limit]]
        write(options.out, name, *pack_archive(archive, picked, size_px, teacher))
    write(options.out, "views", *pack_views(options.views, "train", options.limit // 2, teacher, rng)[0])
    backgrounds = face_free(options.backgrounds, teacher)
    np.savez(options.out / "backgrounds.npz", *backgrounds)
    print(f"backgrounds: {len(backgrounds)}", flush=True)


if __name__ == "__main__":
    main()
