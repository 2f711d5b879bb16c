"""Face detectors side by side on held-out images: recall at equal false positives, by size and yaw, and cost.

    python -m research.yunet_slim.evaluate --muxspace muxspace.zip --rendered rendered --photos FOLDER \\
        --backgrounds FOLDER --detectors centerface yunet-slim --out measured.json

The first detector, at --threshold, sets the number of false positives; each other has the lowest threshold with no
more of them over all images. Photos: those of `photos.json`, found below --photos by their hash; their boxes were
drawn by hand, or are CenterFace's at a higher resolution, confirmed by eye. Composites: held-out muxspace people
and rendered heads on held-out backgrounds. A face is detected where a box has an IoU of 0.35 with it. Detectors:
"centerface", "yunet-slim" with its fallback weights, or an .onnx file of the same form.

`--calibrate` prints, on other people and backgrounds than those evaluated, the threshold of each detector that
gives the false positives of the first one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mien.faces.centerface import CenterFaceDetector, default_file
from mien.faces.passes import MultiPassDetector
from mien.faces.pose import head_pose
from mien.faces.yunet import SIDE_PX, YuNetDetector
from mien.geometry import Box, box_array, iou, nms
from mien.media.images import read_image
from mien.pipeline.detectors import yunet_slim
from mien.pipeline.loading import default_landmarker
from research.held_out import muxspace
from research.yunet_slim.composites import CompositeMaker, Source
from research.yunet_slim.data import digest, image_files, is_held_out, padded, read_backgrounds, rendered_heads

LOWEST = 0.1  # scores below are ignored
THRESHOLDS = np.round(np.arange(LOWEST, 0.96, 0.01), 2)
MIN_IOU = 0.35
SIZES_PX = (8, 12, 16, 24, 48, 120, 400)
YAWS_DEG = (0, 20, 40, 60, 100)
REDUCED_PX = (24, 14)  # median face of the group photos when reduced
COMPOSITE_PX = 640
PHOTOS = Path(__file__).with_name("photos.json")


@dataclass(kw_only=True)
class Case:
    """One image with its faces."""

    group: str
    image: np.ndarray
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # (G, 4)
    bins: list[tuple[str, ...]] = field(default_factory=list)  # of each face: rows of the table besides the group
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))  # regions without labels


def open_detector(name: str, side_px: int) -> MultiPassDetector:
    """A detector of the command line, at the lowest threshold."""
    if name == "centerface":
        return CenterFaceDetector(default_file(), threshold=LOWEST, threads=1)
    if name == "yunet-slim":
        return yunet_slim(threshold=LOWEST, threads=1, side_px=side_px)
    return YuNetDetector(Path(name), threshold=LOWEST, threads=1, side_px=side_px)


def photo_cases(folder: Path) -> list[Case]:
    """The listed photos that lie below the folder, and the group photos among them reduced."""
    listed = {entry["sha256"]: entry for entry in json.loads(PHOTOS.read_text(encoding="utf-8"))}
    present = {hashed: file for file in image_files([folder]) if (hashed := digest(file).hex()) in listed}
    cases = []
    for hashed, file in present.items():
        entry, image = listed[hashed], read_image(file)
        boxes, ignored = np.array(entry["faces"]), np.array(entry["ignored"]).reshape(-1, 4)
        if entry["part"]:
            left, top, right, bottom = entry["part"]
            image = np.ascontiguousarray(image[top:bottom, left:right])
            boxes, ignored = boxes - [left, top, left, top], ignored - [left, top, left, top]
        bins: list[tuple[str, ...]] = [()] * len(boxes)
        group = "photos, one face" if len(boxes) == 1 else "photos, groups"
        cases.append(Case(group=group, image=image, boxes=boxes, bins=bins, ignored=ignored))
        median = np.median(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)))
        for size in REDUCED_PX:
            if len(boxes) > 1 and median > 1.5 * size:
                scale = size / median
                width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
                small = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
                group = f"photos, groups reduced to {size} px faces"
                cases.append(
                    Case(group=group, image=small, boxes=boxes * scale, bins=bins, ignored=ignored * scale)
                )  # fmt: skip
    print(f"{len(present)} of {len(listed)} photos are below {folder}", flush=True)
    return cases


def background_cases(images: list[np.ndarray]) -> list[Case]:
    """Every background, and its four quarters."""
    cases = []
    for image in images:
        height, width = (side // 2 for side in image.shape[:2])
        parts = [image[y * height :, x * width :][:height, :width] for y in range(2) for x in range(2)]
        cases += [Case(group="no face", image=np.ascontiguousarray(part)) for part in (image, *parts)]
    return cases


def people(archive: Path, split: str, limit: int) -> tuple[Source, np.ndarray]:
    """Images of held-out people with their boxes, and |yaw| in degrees.

    The box is CenterFace's of the enlarged image; where it detects none, the middle of the image.
    """
    landmarker, teacher = default_landmarker(threads=1), CenterFaceDetector(default_file(), threads=1)
    samples = muxspace(archive).of(split)
    images: list[np.ndarray] = []
    boxes, yaws = [], []
    for row in np.random.default_rng(0).permutation(len(samples)):
        image = samples.image(row)
        if image.shape[:2] != (200, 200):
            continue
        large, scale, margin = padded(image, 256)
        box = np.array([30.0, 30.0, 170.0, 190.0])
        if faces := teacher.detect(large):
            (best,) = box_array([max(faces, key=lambda face: face.box.area).box])
            box = (best - margin) / scale
        try:
            yaw = abs(head_pose(landmarker.locate(image, [Box(*box)])[0]).yaw_deg)
        except ValueError:
            yaw = 0.0
        images.append(image)
        boxes.append(box)
        yaws.append(yaw)
        if len(images) == limit:
            break
    return Source(np.stack(images), np.array(boxes), np.zeros((len(images), 5, 2))), np.array(yaws)


def composite_cases(
    name: str, source: Source, yaws: np.ndarray, backgrounds: list[np.ndarray], count: int, sizes: tuple[int, int]
) -> list[Case]:
    """Composites with faces of log-uniform sizes."""
    maker, rng, cases = CompositeMaker([source], backgrounds, COMPOSITE_PX), np.random.default_rng(0), []
    for _ in range(count):
        largest = np.exp(rng.uniform(np.log(max(30, sizes[0])), np.log(sizes[1])))
        number = int(np.clip(3e4 / largest**1.3, 2, 24))
        drawn = np.exp(rng.uniform(np.log(sizes[0]), np.log(largest), number))
        composite = maker.compose(rng, np.sort(drawn)[::-1])
        areas = (composite.boxes[:, 2:] - composite.boxes[:, :2]).prod(axis=1)
        bins: list[tuple[str, ...]] = [
            (f"{name}, {bin_of(size, SIZES_PX)} px", f"{name}, yaw {bin_of(yaws[row], YAWS_DEG)}°")
            for size, row in zip(np.sqrt(areas), composite.rows[:, 1], strict=True)
        ]
        cases.append(Case(group=name, image=composite.image, boxes=composite.boxes.astype(float), bins=bins))
    return cases


def bin_of(value: float, edges: tuple[int, ...]) -> str:
    """The bin of a value in words."""
    index = int(np.clip(np.searchsorted(edges, value, side="right"), 1, len(edges) - 1))
    return f"{edges[index - 1]} to {edges[index]}"


class Counts:
    """Of one detector at each of THRESHOLDS: faces detected per row of the table, false positives per group."""

    def __init__(self, detector: MultiPassDetector, cases: list[Case]) -> None:
        self.detected: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(THRESHOLDS), int))
        self.false_positives: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(THRESHOLDS), int))
        self.faces = Counter(row for case in cases for bins in case.bins for row in (case.group, *bins))
        self.images = Counter(case.group for case in cases)
        for case in cases:
            passes = detection_passes(detector, case.image)
            for k, threshold in enumerate(THRESHOLDS):
                boxes, scores = next((each for each in passes if each[1].max(initial=0.0) > threshold), passes[-1])
                hits, wrong = match(boxes[scores > threshold], scores[scores > threshold], case)
                self.false_positives[case.group][k] += wrong
                for row in (row for index in hits for row in (case.group, *case.bins[index])):
                    self.detected[row][k] += 1

    @property
    def all_false_positives(self) -> np.ndarray:
        """(T,) over all groups."""
        return np.sum(list(self.false_positives.values()), axis=0)


def detection_passes(detector: MultiPassDetector, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes and scores of every pass; `detect` gives those of the first pass above its threshold."""
    results = []
    for boxes, scores, _ in detector.passes(image):
        kept = nms(boxes, scores, iou_threshold=detector.iou_threshold)
        results.append((boxes[kept], scores[kept]))
        if scores.max(initial=0.0) > THRESHOLDS[-1]:
            break
    return results


def match(boxes: np.ndarray, scores: np.ndarray, case: Case) -> tuple[list[int], int]:
    """Faces detected, and the number of false positives; by falling score, a box takes the face of highest IoU."""
    free = list(range(len(case.boxes)))
    wrong = 0
    for i in np.argsort(-scores):
        ious = iou(boxes[i], case.boxes[free]) if free else np.zeros(0)
        x, y = (boxes[i][:2] + boxes[i][2:]) / 2
        if len(ious) and ious.max() >= MIN_IOU:
            free.pop(int(ious.argmax()))
        elif not any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in case.ignored):
            wrong += 1
    return [i for i in range(len(case.boxes)) if i not in free], wrong


def cost_ms(detectors: dict[str, MultiPassDetector], rounds: int = 15) -> dict[str, float]:
    """CPU time of the first pass on a 640 px image, in turns; medians."""
    image = np.zeros((640, 640, 3), np.uint8)
    image[100:300, 100:300] = np.add.outer(np.arange(200), np.arange(200))[..., None] % 251
    times: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, detector in detectors.items():
            started = time.process_time()
            next(iter(detector.passes(image)))
            times[name].append(1000 * (time.process_time() - started))
    return {name: round(float(np.median(values)), 2) for name, values in times.items()}


def cases_of(options: argparse.Namespace) -> list[Case]:
    """All images to evaluate on, or to calibrate on."""
    files = [
        file for file in image_files(options.backgrounds) if file.stat().st_size >= 30_000 and is_held_out(file)
    ]
    halves = [file for file in files if (digest(file)[1] % 2 == 0) == options.calibrate]
    empty = list(read_backgrounds(halves))
    source, yaws = people(options.muxspace, "valid" if options.calibrate else "test", options.people)
    cases = composite_cases("muxspace people", source, yaws, empty, options.composites, (8, 400))
    cases += background_cases(empty)
    if options.calibrate:
        return cases
    teacher = CenterFaceDetector(default_file(), threads=1)
    heads, yaws = rendered_heads(options.rendered, "test", options.people // 2, teacher, np.random.default_rng(0))
    images, boxes, points = (np.stack(part) for part in zip(*heads, strict=True))
    cases += composite_cases(
        "rendered heads", Source(images, boxes, points), yaws, empty, options.composites // 2, (16, 200)
    )
    return photo_cases(options.photos) + cases


def print_table(counts: dict[str, Counts], threshold: float) -> dict[str, Any]:
    """Recall per row at equal false positives; also returned."""
    first = next(iter(counts.values()))
    at = int(np.argmin(np.abs(THRESHOLDS - threshold)))
    allowed = first.all_false_positives[at]
    index = {
        name: at if each is first else int(np.argmax(each.all_false_positives <= allowed))
        for name, each in counts.items()
    }
    thresholds = {name: float(THRESHOLDS[k]) for name, k in index.items()}
    print("thresholds", thresholds)
    rows: dict[str, dict[str, float]] = {}
    for row, faces in sorted(first.faces.items()):
        recall = {name: round(float(counts[name].detected[row][k] / faces), 4) for name, k in index.items()}
        rows[row] = {"faces": faces, **recall}
        print(f"{row:45} {faces:6}", *(f"{100 * value:7.1f}" for value in recall.values()))
    false_positives: dict[str, dict[str, int]] = {}
    for group, images in sorted(first.images.items()):
        wrong = {name: int(counts[name].false_positives[group][k]) for name, k in index.items()}
        false_positives[group] = {"images": images, **wrong}
        print(f"false positives, {group:28} {images:6}", *(f"{value:7}" for value in wrong.values()))
    return {"thresholds": thresholds, "recall": rows, "false_positives": false_positives}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, nargs="+", required=True)
    parser.add_argument("--detectors", nargs="+", default=["centerface", "yunet-slim"])
    parser.add_argument("--threshold", type=float, default=0.5, help="of the first detector")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="side_px of all but CenterFace")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--composites", type=int, default=60)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    detectors = {
        name.removesuffix(".onnx").rpartition("/")[2]: open_detector(name, options.side)
        for name in options.detectors
    }
    cases = cases_of(options)
    counts = {name: Counts(detector, cases) for name, detector in detectors.items()}
    measured = print_table(counts, options.threshold) | {"cost_ms": cost_ms(detectors)}
    print(json.dumps(measured["cost_ms"]))
    if options.out:
        options.out.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
