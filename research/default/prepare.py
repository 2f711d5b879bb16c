"""Find, align and pack the faces of FER+ and muxspace for the other recipes.

    python -m research.default.prepare ferplus  --data ferplus.zip  --out packs/fer
    python -m research.default.prepare muxspace --data muxspace.zip --out packs/mux

Writes `canvas.npy` (N, 192, 192, C) uint8, each face aligned onto the centre 112 pixels with the
template "face" and 40 pixels of surroundings, `landmarks.npy` (N, 68, 2) float32 in canvas pixels,
`found.npy` (N,) and `faces.csv` (name, split, the set's labels). The geometry is the one of
prediction. `--teacher` places the points by the published 68-point network instead of ours.
"""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from mien.faces import Landmarker
from mien.faces.centerface import CenterFaceDetector, default_file
from mien.geometry import Box, transform
from mien.media.images import read_image
from mien.preprocess import Preprocess, warp

CANVAS_PX, CROP_PX = 192, 112
MARGIN_PX = (CANVAS_PX - CROP_PX) // 2
VOTES = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]


def ferplus_rows(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    """One row per image with the ten FER+ votes and the original FER2013 label."""
    splits = {"Training": "Train", "PublicTest": "Valid"}
    votes = {
        (splits[row["Usage"]], row["Image name"]): row
        for row in _csv(archive, "fer2013new.csv")
        if row["Usage"] in splits and row["Image name"]
    }
    rows = []
    for row in _csv(archive, "fer2013_labels.csv"):
        split, name = row["split"], row["image"]
        voted = votes[split, name]
        rows.append(
            {"name": f"FER2013{split}/{name}", "split": split.lower(), "fer2013": row["fer2013_label"]}
            | {vote: voted[vote] for vote in VOTES}
        )
    return rows


def muxspace_rows(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    """One row per image; people are kept together in one split, by a hash of the name."""
    import hashlib

    rows = []
    for row in _csv(archive, "legend.csv"):
        person = row["image"].rsplit(".", 1)[0].rstrip("0123456789").rstrip("_-")
        share = int(hashlib.sha256(person.encode()).hexdigest()[:8], 16) / 16**8
        split = "test" if share < 0.25 else "valid" if share < 0.35 else "train"
        rows.append({"name": f"images/{row['image']}", "split": split, "person": person, "label": row["emotion"]})
    return rows


def _csv(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.TextIOWrapper(archive.open(name), encoding="utf-8-sig")))


def first_box(image: np.ndarray, detector: CenterFaceDetector) -> tuple[Box, bool]:
    """The best detected face, or the whole image where none is found."""
    height, width = image.shape[:2]
    found = detector.detect(image)
    if found:
        return max(found, key=lambda face: face.box.area * face.score).box, True
    return Box(0, 0, width, height), False


def pack(data: Path, out: Path, teacher: Path | None, rows: list[dict[str, str]], start: int) -> int:
    """Fill the rows from `start` of the arrays in `out`; the work of one process."""
    landmarker = _landmarker(teacher)
    detector = CenterFaceDetector(default_file(), threads=1, threshold=0.4)
    inputs = Preprocess(size_px=CROP_PX)
    canvases = np.load(out / "canvas.npy", mmap_mode="r+")
    landmarks = np.load(out / "landmarks.npy", mmap_mode="r+")
    found = np.load(out / "found.npy", mmap_mode="r+")
    with zipfile.ZipFile(data) as archive:
        for index, row in enumerate(rows, start):
            image = read_image(archive.read(row["name"]))
            box, found[index] = first_box(image, detector)
            points = landmarker.locate(image, [box])[0]
            matrix = inputs.matrix(points)
            matrix[:, 2] += MARGIN_PX
            canvases[index] = warp(image, matrix, CANVAS_PX)[..., : canvases.shape[-1]]
            landmarks[index] = transform(matrix, points)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["ferplus", "muxspace"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="landmark68_mobilefacenet.safetensors")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only the first N images")
    options = parser.parse_args()

    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(options.data) as archive:
        rows = (ferplus_rows if options.set == "ferplus" else muxspace_rows)(archive)[: options.limit]
    grey = options.set == "ferplus"
    for name, kind, shape in (
        ("canvas.npy", np.uint8, (len(rows), CANVAS_PX, CANVAS_PX, 1 if grey else 3)),
        ("landmarks.npy", np.float32, (len(rows), 68, 2)),
        ("found.npy", np.bool_, (len(rows),)),
    ):
        np.lib.format.open_memmap(out / name, "w+", kind, shape).flush()
    with (out / "faces.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = 0
    with ProcessPoolExecutor(options.workers) as pool:
        parts = [
            pool.submit(pack, options.data, out, options.teacher, rows[i : i + 500], i)
            for i in range(0, len(rows), 500)
        ]
        for part in as_completed(parts):
            done += part.result()
            print(f"{done} of {len(rows)}", flush=True)


def _landmarker(teacher: Path | None) -> Landmarker:
    if teacher is None:
        from mien.pipeline.recognizer import default_landmarker

        return default_landmarker(threads=1)
    from published_landmarks import PublishedLandmarker

    return PublishedLandmarker(teacher)


if __name__ == "__main__":
    main()
