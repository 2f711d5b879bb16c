"""Images no network of the package was trained on, with their labels.

FER+ validation decides (epochs, operating point, temperature); the muxspace people of the splits
"valid" and "test" of `prepare_faces.py` decide nothing.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import repeats_another_split
from mien.geometry import Box
from mien.labels import FERPLUS, Expression
from mien.media.images import read_image
from mien.pipeline.recognizer import default_landmarker
from mien.preprocess import Preprocess
from research.default.prepare import VOTES, ferplus_rows, muxspace_rows


@dataclass(frozen=True)
class HeldOutSet:
    """Names inside a zip file and their classes, as indices of FERPLUS."""

    archive: Path
    names: tuple[str, ...]
    truth: np.ndarray
    groups: tuple[str, ...]  # who is in the image, where known: bootstrap draws them together

    def images(self):
        """RGB uint8 arrays, one after the other."""
        return self.at(range(len(self.names)))

    def at(self, rows):
        """RGB uint8 arrays of some rows, in their order."""
        with zipfile.ZipFile(self.archive) as archive:
            for row in rows:
                yield read_image(archive.read(self.names[row]))


def ferplus_validation(archive: Path) -> HeldOutSet:
    """The 3,396 images of FER2013Valid whose largest vote is one of the eight classes and not tied."""
    with zipfile.ZipFile(archive) as file:
        rows = [row for row in ferplus_rows(file) if row["split"] == "valid"]
    votes = np.array([[int(row[name]) for name in VOTES] for row in rows])
    top = votes.max(axis=1, keepdims=True)
    kept = np.flatnonzero(((votes == top).sum(axis=1) == 1) & (votes.argmax(axis=1) < 8))
    names = tuple(rows[i]["name"] for i in kept)
    return HeldOutSet(archive, names, votes.argmax(axis=1)[kept], names)


def muxspace_people(archive: Path) -> HeldOutSet:
    """All images of the people held out; the two labelled contempt are too few to judge and left out."""
    with zipfile.ZipFile(archive) as file:
        rows = [row for row in muxspace_rows(file) if row["split"] in ("valid", "test")]
    rows = [row for row in rows if row["label"] != "contempt"]
    truth = np.array([FERPLUS.index(Expression(row["label"])) for row in rows])
    return HeldOutSet(archive, tuple(row["name"] for row in rows), truth, tuple(row["person"] for row in rows))


def without_repeats(kept: HeldOutSet, archive: Path) -> np.ndarray:
    """Mask (N,) of the FER+ images that have no near-duplicate in the training part."""
    samples = dataset_info("ferplus").samples(archive)
    repeats = set(samples.path[repeats_another_split(samples)].tolist())
    return np.array([name not in repeats for name in kept.names])


def aligned(kept: HeldOutSet, inputs: Preprocess) -> np.ndarray:
    """Every image as prediction with `--crops` sees it (N, S, S, 3) uint8."""
    landmarker = default_landmarker(threads=1)
    crops = []
    for image in kept.images():
        whole = Box(0, 0, image.shape[1], image.shape[0])
        crops.append(inputs.crop(image, landmarker.locate(image, [whole])[0]))
    return np.stack(crops)


def first_half(groups: tuple[str, ...]) -> np.ndarray:
    """Mask (N,) of half of the groups, by a hash of their names: the same on every machine, and for every set."""
    return np.array([hashlib.sha256(f"half {group}".encode()).digest()[0] < 128 for group in groups])


def balanced_sample(kept: HeldOutSet, per_class: int, seed: int) -> HeldOutSet:
    """At most `per_class` images of each class, drawn with a seed."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(kept.truth == label))[:per_class] for label in range(len(FERPLUS))]
    )
    return HeldOutSet(
        kept.archive,
        tuple(kept.names[i] for i in rows),
        kept.truth[rows],
        tuple(kept.groups[i] for i in rows),
    )
