"""Labelled images that no network of the package was trained on.

One half of FER+ validation and of the muxspace people of the split "valid" chooses, the other half measures
(`research.fer.calibrate`); the people of the split "test" choose nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import repeats_another_split
from mien.datasets.samples import Samples
from mien.geometry import Box
from mien.labels import FERPLUS, Expression
from mien.pipeline.loading import default_landmarker
from mien.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutSet:
    """Images with one label each, as indices of FERPLUS."""

    title: str
    samples: Samples
    clusters: np.ndarray  # (N,) str: the person seen, or the image where people are not known

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def truth(self) -> np.ndarray:
        """(N,) int."""
        return self.samples.label

    def images(self) -> Iterator[np.ndarray]:
        """RGB uint8 (H, W, 3), one after the other."""
        return map(self.samples.image, range(len(self)))

    def take(self, rows: np.ndarray) -> HeldOutSet:
        """Some rows, by index or mask."""
        return replace(self, samples=self.samples.take(rows), clusters=self.clusters[rows])


def ferplus_validation(archive: Path, *, deduplicated: bool = False) -> HeldOutSet:
    """The 3,396 validation images with one label; `deduplicated`: the 2,965 that repeat no training image."""
    samples = dataset_info("ferplus").samples(archive)
    kept = (samples.split == "valid") & (samples.label >= 0)
    if deduplicated:
        kept &= ~repeats_another_split(samples)
    samples = samples.take(kept)
    return HeldOutSet(title="FER+ validation", samples=samples, clusters=samples.path)


def muxspace(archive: Path) -> Samples:
    """All images, each person in one split by a hash of the name, so that people once held out stay so."""
    samples = dataset_info("muxspace").samples(archive)
    people = [person_of(path) for path in samples.path.tolist()]
    split = np.array([_split_of(person) for person in people], dtype=object)
    return replace(samples, subject=np.array(people, dtype=object), split=split)


def muxspace_people(archive: Path) -> HeldOutSet:
    """The 4,062 images of held-out people; two labelled contempt are too few to measure and left out."""
    samples = muxspace(archive)
    kept = (samples.split != "train") & (samples.label != FERPLUS.index(Expression.CONTEMPT))
    samples = samples.take(kept)
    assert samples.subject is not None
    return HeldOutSet(title="muxspace people", samples=samples, clusters=samples.subject)


def person_of(path: str) -> str:
    """The name in an image's name: Aaron_Eckhart of images/Aaron_Eckhart_0001.jpg."""
    return path.rpartition("/")[2].rpartition(".")[0].rstrip("0123456789").rstrip("_-")


def _split_of(person: str) -> str:
    share = int(hashlib.sha256(person.encode()).hexdigest()[:8], 16) / 16**8
    return "test" if share < 0.25 else "valid" if share < 0.35 else "train"


def by_class(held_out: HeldOutSet, *, seed: int = 0) -> list[np.ndarray]:
    """The rows of each class in random order."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.flatnonzero(held_out.truth == label)) for label in range(len(FERPLUS))]


def aligned(held_out: HeldOutSet, inputs: Preprocess) -> np.ndarray:
    """Every image as prediction without detection sees it (N, S, S, 3) uint8."""
    landmarker = default_landmarker(threads=1)
    crops = []
    for image in held_out.images():
        box = Box(0, 0, image.shape[1], image.shape[0])
        crops.append(inputs.crop(image, landmarker.locate(image, [box])[0]))
    return np.stack(crops)
