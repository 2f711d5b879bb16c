"""CAER-S (Lee et al.: "Context-aware emotion recognition networks", 2019): scenes of television series.

`train/Anger/0001.png`: the folder is the class. Other spellings of the folders (`Angry`) go round and are read too.
"""

from __future__ import annotations

import re

from mien.data.class_folders import add_class_folders, is_picture, note_absent
from mien.data.files import Files
from mien.data.record import DataSet
from mien.data.samples import Collector, Reading
from mien.labels import CAER_S


def read(files: Files, variant: str) -> Reading:
    """Every picture of `<split>/<class>/`."""
    root = files.together("train", "test")
    rows = Collector(CAER_S, root or files)
    placed = []
    for name in rows.files.names:
        if (found := re.fullmatch(r"(?:.*/)?(train|test)/[^/]+/[^/]+", name)) and is_picture(name):
            placed.append((name, found[1]))
    add_class_folders(rows, ((name, split, {}) for name, split in placed))
    note_absent(rows, ("train", "test"), {split for _, split in placed})
    return rows.done()


SET = DataSet(
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
    faces="photo",
    known_faults=(
        "A picture shows a scene, often with several faces; the label does not say whose it is.",
        "Frames of one clip resemble each other and clips are not named: no part cut from train is independent.",
    ),
)
