"""The validation suite: aligned faces of five sources, and of others that decide nothing.

    python -m research.fer.suite --data DIR --out suite

`DIR` holds `ferplus.zip`, `muxspace.zip`, `cfee.zip`, `wild7.zip`, `sfew.zip` and `kdef3.zip`. Each of `ENTRIES`
becomes a file `suite/NAME.npz`: the faces as prediction feeds them, their classes, and who or what is seen. Images
of FER+ and wild7 are one face each; in the others the largest detected face counts, or the whole image where none
is detected. About 20 ms a face on one core.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import repeats_another_split
from mien.datasets.samples import Samples
from mien.faces.pose import head_pose
from mien.geometry import Box
from mien.labels import FERPLUS, Expression, LabelSet
from mien.media.atomic import atomic_open
from mien.pipeline.detectors import DEFAULT_DETECTOR, DETECTION_THRESHOLD, detector_called, upright_measure
from mien.pipeline.loading import default_landmarker
from mien.pipeline.turns import AnyRoll
from mien.preprocess import Preprocess
from research.held_out import muxspace

INPUTS = Preprocess(size_px=96)
HELD_OUT_FILMS = (
    0.2  # share of the films of SFEW's train part: validation only, since the recipe with seven sources
)
BASIC = LabelSet(FERPLUS[:7])  # the classes that a source without contempt tells apart
FEW = 10  # faces of a class in an entry; rarer ones cannot be measured and are left out


@dataclass(frozen=True, kw_only=True, eq=False)
class Faces:
    """Aligned faces of one entry."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB
    truth: np.ndarray  # (N,) index into FERPLUS
    clusters: np.ndarray  # (N,) str: the person or film, or the image where these are not known
    yaw_deg: np.ndarray  # (N,) as the landmarks have it
    detected: float  # share of the images with a detected face; 1 where no detection is made

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One source of the suite: which of its images, and which classes it tells apart."""

    title: str
    archive: str
    rows: Callable[[Path], Samples]
    labels: LabelSet = BASIC
    detect: bool = True
    chooses: bool = True  # False: reported only, no choice may look at it


def ferplus(archive: Path) -> Samples:
    """The 2,965 labelled validation images that repeat no training image."""
    samples = dataset_info("ferplus").samples(archive)
    return samples.take((samples.split == "valid") & (samples.label >= 0) & ~repeats_another_split(samples))


def muxspace_of(split: str) -> Callable[[Path], Samples]:
    """The people of one split; two labelled contempt are too few to measure and left out."""

    def rows(archive: Path) -> Samples:
        samples = muxspace(archive)
        return samples.take((samples.split == split) & (samples.label != FERPLUS.index(Expression.CONTEMPT)))

    return rows


def cfee(archive: Path) -> Samples:
    """The basic categories of the validation people."""
    samples = dataset_info("cfee").samples(archive)
    return samples.take((samples.split == "valid") & (samples.label >= 0))


def wild7(archive: Path) -> Samples:
    """The validation part."""
    return dataset_info("csv").samples(archive).of("valid")


def sfew_films(archive: Path) -> Samples:
    """The held-out films of the train part."""
    samples = dataset_info("sfew").samples(archive).of("train")
    assert samples.group is not None
    samples = samples.take(np.array([_share(f"sfew {film}") < HELD_OUT_FILMS for film in samples.group.tolist()]))
    return replace(samples, subject=samples.group)


def kdef3(archive: Path) -> Samples:
    """Front views and half profiles of three classes, validation sessions."""
    return dataset_info("csv").samples(archive).of("valid")


def sfew_val(archive: Path) -> Samples:
    """The official Val part, on which papers report."""
    samples = dataset_info("sfew").samples(archive).of("test")
    return replace(samples, subject=samples.group)


ENTRIES = {
    "ferplus": Entry(
        title="FER+ validation, deduplicated", archive="ferplus", rows=ferplus, labels=FERPLUS, detect=False
    ),
    "muxspace": Entry(title="muxspace, validation people", archive="muxspace", rows=muxspace_of("valid")),
    "cfee": Entry(title="CFEE, validation people", archive="cfee", rows=cfee),
    "wild7": Entry(title="wild7, validation part", archive="wild7", rows=wild7, detect=False),
    "sfew": Entry(title="SFEW 2.0, held-out films of Train", archive="sfew", rows=sfew_films),
    "kdef3": Entry(
        title="KDEF, front and half profiles",
        archive="kdef3",
        rows=kdef3,
        labels=LabelSet("anger happiness sadness"),
        chooses=False,
    ),
    "sfew-val": Entry(title="SFEW 2.0, Val", archive="sfew", rows=sfew_val, chooses=False),
    "muxspace-test": Entry(
        title="muxspace, test people", archive="muxspace", rows=muxspace_of("test"), chooses=False
    ),
}
SUITE = tuple(name for name, entry in ENTRIES.items() if entry.chooses)


def align(samples: Samples, *, detect: bool) -> Faces:
    """The face of each image as prediction aligns it."""
    detector = detector_called(DEFAULT_DETECTOR, threshold=DETECTION_THRESHOLD, tiles=False, threads=1)
    any_roll = AnyRoll(default_landmarker(threads=1), upright_measure())
    images, yaw, detections = [], [], 0
    for row in range(len(samples)):
        image = samples.image(row)
        located = any_roll.detect(image, detector.detect)[:1] if detect else []
        detections += len(located)
        if not located:
            located = any_roll.locate_boxes(image, [Box(0, 0, image.shape[1], image.shape[0])])
        images.append(INPUTS.crop(np.rot90(image, located[0].turns), located[0].points))
        yaw.append(head_pose(located[0].landmarks).yaw_deg)
    known = samples.subject if samples.subject is not None else np.full(len(samples), "", dtype=object)
    clusters = [who or path for who, path in zip(known.tolist(), samples.path.tolist(), strict=True)]
    truth = [FERPLUS.index(samples.labels[label]) for label in samples.label.tolist()]
    return Faces(
        images=np.stack(images),
        truth=np.array(truth),
        clusters=np.array(clusters, dtype=str),
        yaw_deg=np.array(yaw),
        detected=detections / len(samples) if detect else 1.0,
    )


def load(folder: Path, name: str) -> Faces:
    """An entry that `main` wrote."""
    with np.load(folder / f"{name}.npz") as arrays:
        values = {key: arrays[key] for key in arrays}
    return Faces(**values | {"detected": float(values["detected"])})


def _share(text: str) -> float:
    """A number in 0..1 that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 16**8


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, entry in ENTRIES.items():
        if (path := options.out / f"{name}.npz").exists():
            continue
        faces = align(entry.rows(options.data / f"{entry.archive}.zip"), detect=entry.detect)
        with atomic_open(path) as file:
            np.savez(file, allow_pickle=False, **vars(faces))
        print(f"{name}: {len(faces)} faces, {faces.detected:.1%} detected", flush=True)


if __name__ == "__main__":
    main()
