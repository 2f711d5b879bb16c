"""Face detectors side by side on images held out: recall at equal false alarms, by size and by turn, and cost.

    python -m research.yunet_slim.evaluate --muxspace muxspace.zip --views views --photos FOLDER \\
        --backgrounds FOLDER --detectors centerface yunet_slim --out measured.json

The first detector, at --threshold, sets the number of false alarms; each other is judged at the threshold that
gives no more of them over all sets. Photos: those of `detector_photos.json`, found below --photos by their hash;
their boxes were drawn by hand, or are CenterFace's at a higher resolution and were confirmed by eye. Composites:
muxspace people and rendered heads that nothing was trained on, on backgrounds held out. A face counts as found
where a detection overlaps it by 0.35 (intersection over union). Detectors: "centerface", "yunet-slim"
with both of its weights, or an .onnx file of the same form, called by the file's name.

`--calibrate` prints, on other people and backgrounds than those judged, the threshold of each detector that gives
the first one's false alarms.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from mien.faces.centerface import CenterFaceDetector, default_file
from mien.faces.passes import MultiPassDetector
from mien.faces.pose import head_pose
from mien.faces.yunet import YuNetDetector
from mien.geometry import Box, iou, nms
from mien.media.images import read_image
from mien.pipeline.detectors import yunet_slim
from mien.pipeline.recognizer import default_landmarker
from research.default.prepare import muxspace_rows
from research.yunet_slim.composites import CompositeMaker, Source
from research.yunet_slim.data import BACKGROUND_PX, held_out, pack_views, surrounded

LOWEST = 0.1  # scores below are not looked at
MATCH = 0.35
SIZES = (8, 12, 16, 24, 48, 120, 400)
TURNS = (0, 20, 40, 60, 100)
REDUCED_PX = (24, 14)  # median face of the groups when reduced
MOSAIC_PX = 640


@dataclass
class Case:
    """One image with its faces."""

    group: str
    image: np.ndarray
    boxes: np.ndarray  # (G, 4)
    labels: list[tuple[str, ...]] = field(default_factory=list)  # of each face: rows of the table it counts in
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def detector_called(name: str, side_px: int | None) -> MultiPassDetector:
    sides = {} if side_px is None else {"side_px": side_px}
    if name == "centerface":
        return CenterFaceDetector(default_file(), threshold=LOWEST, threads=1)
    if name == "yunet-slim":
        return yunet_slim(threshold=LOWEST, threads=1, **sides)
    return YuNetDetector(Path(name), threshold=LOWEST, threads=1, **sides)


def photo_cases(folder: Path) -> list[Case]:
    """The photos of the list that lie below the folder, and the groups among them reduced."""
    wanted = {
        entry["sha256"]: entry for entry in json.loads(Path(__file__).with_name("detector_photos.json").read_text())
    }
    cases, seen = [], set()
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
            continue
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest not in wanted or digest in seen:
            continue
        seen.add(digest)
        entry, image = wanted[digest], read_image(file)
        boxes, ignored = np.array(entry["faces"]), np.array(entry["ignored"]).reshape(-1, 4)
        if entry["part"]:
            left, top, right, bottom = entry["part"]
            image = np.ascontiguousarray(image[top:bottom, left:right])
            boxes, ignored = boxes - [left, top, left, top], ignored - [left, top, left, top]
        group = "photos, one face" if len(boxes) == 1 else "photos, groups"
        cases.append(Case(group, image, boxes, [()] * len(boxes), ignored))
        typical = np.median(np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
        for size in REDUCED_PX:
            if len(boxes) > 1 and typical > 1.5 * size:
                scale = size / typical
                sides = [max(1, round(side * scale)) for side in image.shape[1::-1]]
                small = np.asarray(Image.fromarray(image).resize(sides, Image.Resampling.LANCZOS))
                title = f"photos, groups reduced to {size} px faces"
                cases.append(Case(title, small, boxes * scale, [()] * len(boxes), ignored * scale))
    missing = len(wanted) - len(seen)
    print(
        f"{len(seen)} photos" + (f"; {missing} of the list are not below {folder}" if missing else ""), flush=True
    )
    return cases


def backgrounds(folders: list[Path], calibrate: bool) -> list[np.ndarray]:
    """Half of the images held out are to calibrate, half to judge."""
    kept, seen = [], set()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"} or file.stat().st_size < 30_000:
                continue
            if not held_out(file) or (hashlib.sha256(file.read_bytes()).digest()[1] % 2 == 0) != calibrate:
                continue
            image = Image.open(file).convert("RGB")
            image.thumbnail((BACKGROUND_PX, BACKGROUND_PX))
            pixels = np.asarray(image)
            digest = hashlib.sha256(pixels.tobytes()).digest()
            if min(pixels.shape[:2]) >= 200 and digest not in seen:
                kept.append(pixels)
            seen.add(digest)
    return kept


def empty_cases(images: list[np.ndarray]) -> list[Case]:
    """Every background whole and in four parts."""
    cases = []
    for image in images:
        height, width = (side // 2 for side in image.shape[:2])
        parts = [image[y * height :, x * width :][:height, :width] for y in range(2) for x in range(2)]
        cases += [Case("no face", np.ascontiguousarray(p), np.zeros((0, 4))) for p in (image, *parts)]
    return cases


def people(archive: Path, split: str, limit: int) -> tuple[Source, np.ndarray]:
    """Images of people held out with their boxes, and how far each is turned in degrees.

    The box is CenterFace's of the enlarged image; where it finds none, the middle of the image.
    """
    landmarker, teacher = default_landmarker(threads=1), CenterFaceDetector(default_file(), threads=1)
    images, boxes, points, turns = [], [], [], []
    with zipfile.ZipFile(archive) as file:
        rows = [row for row in muxspace_rows(file) if row["split"] == split]
        for i in np.random.default_rng(0).permutation(len(rows)):
            image = read_image(file.read(rows[i]["name"]))
            if image.shape[:2] != (200, 200):
                continue
            large, scale, margin = surrounded(image, 256)
            box, five = np.array([30.0, 30.0, 170.0, 190.0]), np.zeros((5, 2))
            if found := teacher.detect(large):
                best = max(found, key=lambda face: face.box.area).box
                box = (np.array([best.left, best.top, best.right, best.bottom]) - margin) / scale
            try:
                turn = abs(head_pose(landmarker.locate(image, [Box(*box)])[0]).yaw_deg)
            except ValueError:
                turn = 0.0
            for part, value in zip((images, boxes, points, turns), (image, box, five, turn), strict=True):
                part.append(value)
            if len(images) == limit:
                break
    return Source(np.stack(images), np.array(boxes), np.array(points)), np.array(turns)


def mosaic_cases(
    source: Source, turns: np.ndarray, images: list[np.ndarray], count: int, name: str, sizes: tuple[float, float]
) -> list[Case]:
    """Faces of sizes drawn evenly on a logarithmic scale."""
    maker, rng, cases = CompositeMaker([source], images, MOSAIC_PX), np.random.default_rng(0), []
    for _ in range(count):
        largest = np.exp(rng.uniform(np.log(max(30, sizes[0])), np.log(sizes[1])))
        number = int(np.clip(3e4 / largest**1.3, 2, 24))
        wanted = np.exp(rng.uniform(np.log(sizes[0]), np.log(largest), number))
        composite = maker.compose(rng, np.sort(wanted)[::-1])
        widths, heights = (composite.boxes[:, 2:] - composite.boxes[:, :2]).T
        labels = [
            (f"{name}, {bin_of(size, SIZES)} px", f"{name}, turned {bin_of(turns[row], TURNS)}°")
            for size, row in zip(np.sqrt(widths * heights), composite.rows[:, 1], strict=True)
        ]
        cases.append(Case(name, composite.image, composite.boxes.astype(float), labels))
    return cases


def bin_of(value: float, edges: tuple[int, ...]) -> str:
    index = int(np.clip(np.searchsorted(edges, value, side="right"), 1, len(edges) - 1))
    return f"{edges[index - 1]} to {edges[index]}"


def passes(detector: MultiPassDetector, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes and scores of every look; at a threshold, `detect` gives those of the first look above it."""
    seen = []
    for boxes, scores, _ in detector.passes(image):
        picked = nms(boxes, scores, iou_threshold=detector.iou_threshold)
        seen.append((boxes[picked], scores[picked]))
        if scores.max(initial=0.0) > THRESHOLDS[-1]:
            break
    return seen


@dataclass
class Counted:
    """At each threshold, per row of the table: faces found; and false alarms per group."""

    found: dict[str, np.ndarray]
    faces: dict[str, int]
    alarms: dict[str, np.ndarray]
    images: dict[str, int]


THRESHOLDS = np.round(np.arange(LOWEST, 0.96, 0.01), 2)


def count(detector: MultiPassDetector, cases: list[Case]) -> Counted:
    result = Counted({}, {}, {}, {})
    for case in cases:
        seen = passes(detector, case.image)
        result.images[case.group] = result.images.get(case.group, 0) + 1
        alarms = result.alarms.setdefault(case.group, np.zeros(len(THRESHOLDS), int))
        for row in {label for labels in case.labels for label in (case.group, *labels)}:
            result.found.setdefault(row, np.zeros(len(THRESHOLDS), int))
        for labels in case.labels:
            for row in (case.group, *labels):
                result.faces[row] = result.faces.get(row, 0) + 1
        for k, threshold in enumerate(THRESHOLDS):
            boxes, scores = next((one for one in seen if one[1].max(initial=0.0) > threshold), seen[-1])
            hit, wrong = match(boxes[scores > threshold], scores[scores > threshold], case)
            alarms[k] += wrong
            for index in hit:
                for row in (case.group, *case.labels[index]):
                    result.found[row][k] += 1
    return result


def match(boxes: np.ndarray, scores: np.ndarray, case: Case) -> tuple[list[int], int]:
    """Faces found, and detections that are none: each face takes the best detection that overlaps it most."""
    free = list(range(len(case.boxes)))
    wrong = 0
    for i in np.argsort(-scores):
        shares = iou(boxes[i], case.boxes[free]) if free else np.zeros(0)
        if len(shares) and shares.max() >= MATCH:
            free.pop(int(shares.argmax()))
        elif not any(inside(boxes[i], place) for place in case.ignored):
            wrong += 1
    return [i for i in range(len(case.boxes)) if i not in free], wrong


def inside(box: np.ndarray, place: np.ndarray) -> bool:
    x, y = (box[:2] + box[2:]) / 2
    return bool(place[0] <= x <= place[2] and place[1] <= y <= place[3])


def cost_ms(detectors: dict[str, MultiPassDetector], rounds: int = 15) -> dict[str, float]:
    """Processor time of `detect` for one 640 px image with a face, in turns; medians."""
    image = np.zeros((640, 640, 3), np.uint8)
    image[100:300, 100:300] = np.add.outer(np.arange(200), np.arange(200))[..., None] % 251
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(rounds):
        for name, detector in detectors.items():
            started = time.process_time()
            detector._detect_in(image, Box(0, 0, 640, 640))
            times[name].append(1000 * (time.process_time() - started))
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--views", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, nargs="+", required=True)
    parser.add_argument("--detectors", nargs="+", default=["centerface", "yunet-slim"])
    parser.add_argument("--threshold", type=float, default=0.5, help="of the first detector")
    parser.add_argument("--side", type=int, help="side_px of all but CenterFace; else their own")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--composites", type=int, default=60)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    detectors = {
        name.removesuffix(".onnx").rpartition("/")[2]: detector_called(name, options.side)
        for name in options.detectors
    }
    cases = cases_of(options)
    measured = table({name: count(detector, cases) for name, detector in detectors.items()}, options.threshold)
    measured["cost_ms"] = {name: round(ms, 2) for name, ms in cost_ms(detectors).items()}
    print(json.dumps(measured["cost_ms"]))
    if options.out:
        options.out.write_text(json.dumps(measured, indent=1) + "\n")


def cases_of(options: argparse.Namespace) -> list[Case]:
    """All images to judge on, or to calibrate on."""
    empty = backgrounds(options.backgrounds, options.calibrate)
    source, turns = people(options.muxspace, "valid" if options.calibrate else "test", options.people)
    cases = mosaic_cases(source, turns, empty, options.composites, "muxspace people", (8, 400)) + empty_cases(empty)
    if options.calibrate:
        return cases
    heads, angles = rendered(options.views, options.people // 2)
    cases += mosaic_cases(heads, angles, empty, options.composites // 2, "rendered heads", (16, 200))
    return photo_cases(options.photos) + cases


def rendered(folder: Path, limit: int) -> tuple[Source, np.ndarray]:
    """Heads of the test identities with their turn."""
    teacher = CenterFaceDetector(default_file(), threads=1)
    (images, boxes, points), turns = pack_views(folder, "test", limit, teacher, np.random.default_rng(0))
    return Source(np.stack(images), np.array(boxes), np.array(points)), turns


def table(counts: dict[str, Counted], threshold: float) -> dict:
    """Print recall per row at equal false alarms; returns the same as plain values."""
    first = next(iter(counts.values()))
    at = int(np.argmin(np.abs(THRESHOLDS - threshold)))
    allowed = sum(alarms[at] for alarms in first.alarms.values())
    points = {}
    for name, counted in counts.items():
        alarms = sum(counted.alarms.values())
        points[name] = at if counted is first else int(np.argmax(alarms <= allowed))
    measured: dict = {"rows": {}, "alarms": {}}
    measured["thresholds"] = {name: float(THRESHOLDS[k]) for name, k in points.items()}
    print("thresholds", measured["thresholds"])
    for row in sorted(first.faces):
        recall = {name: counts[name].found[row][k] / first.faces[row] for name, k in points.items()}
        measured["rows"][row] = {"faces": first.faces[row]} | {n: round(float(v), 4) for n, v in recall.items()}
        print(f"{row:45} {first.faces[row]:6}", *(f"{100 * value:7.1f}" for value in recall.values()))
    for group, images in sorted(first.images.items()):
        alarms = {name: int(counts[name].alarms[group][k]) for name, k in points.items()}
        measured["alarms"][group] = {"images": images} | alarms
        print(f"false alarms, {group:31} {images:6}", *(f"{value:7}" for value in alarms.values()))
    return measured


if __name__ == "__main__":
    main()
