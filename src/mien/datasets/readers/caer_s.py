"""CAER-S (Lee et al.: "Context-aware emotion recognition networks", 2019): scenes of television series.

`train/Anger/0001.png`: the folder is the class. Other spellings of the folders (`Angry`) go round and are read too.
"""

from __future__ import annotations

import re

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.class_folders import add_class_folders, is_image, note_absent
from mien.datasets.samples import Collector, Reading
from mien.labels import CAER_S


def read(files: Distribution, variant: str) -> Reading:
    """Every image of `<split>/<class>/`."""
    root = files.together("train", "test")
    rows = Collector(CAER_S, root or files)
    placed = []
    for name in rows.files.names:
        if (match := re.fullmatch(r"(?:.*/)?(train|test)/[^/]+/[^/]+", name)) and is_image(name):
            placed.append((name, match[1]))
    add_class_folders(rows, ((name, split, {}) for name, split in placed))
    note_absent(rows, ("train", "test"), {split for _, split in placed}, layout="train/Anger/*.png")
    return rows.done()


SET = DatasetInfo(
    name="caer-s",
    title="CAER-S",
    read=read,
    variants={"": CAER_S},
    layout="train/Anger/0001.png ... train/Surprise/ ... test/Anger/ ...",
    citation=("J. Lee, S. Kim, S. Kim, J. Park, K. Sohn: Context-Aware Emotion Recognition Networks. ICCV 2019."),
    licence="Research only, not commercial.",
    obtain="https://caer-dataset.github.io",
    # Sums as papers on the set report them, POSTER++ among them.
    expected={"": {"train": {"all": 44996}, "test": {"all": 20987}}},
    split_rule="the folders train and test; no validation part",
    image_kind="photo",
    known_faults=(
        "An image shows a scene, often with several faces; the label does not say whose it is.",
        "Frames of one clip resemble each other and clips are not named: no part cut from train is independent.",
    ),
)
