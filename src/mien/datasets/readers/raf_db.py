"""RAF-DB, basic expressions (Li, Deng, Du: "Reliable crowdsourcing and deep locality-preserving learning", 2017).

Labels 1 to 7 of `list_patition_label.txt` (the file's own spelling), split by the names' prefix. Variant original
brings, where they were unpacked, the boxes of `Annotation/boundingbox/train_00001_boundingbox.txt` (left, top,
right, bottom) and the points of `Annotation/manual/train_00001_manu_attri.txt` (a line x y for each eye, the nose
and each corner of the mouth; then sex, race and age, which are not read).
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Collector, Reading
from mien.labels import RAF_DB

LIST = "EmoLabel/list_patition_label.txt"


def read(files: Distribution, variant: str) -> Reading:
    """`train_00001.jpg 5` is Image/aligned/train_00001_aligned.jpg, or Image/original/train_00001.jpg."""
    root = files.holding(LIST)
    rows = Collector(RAF_DB, root or files)
    if root is None:
        rows.problem(
            "missing file", str(files), f"{LIST} is not there", "unpack EmoLabel.zip of RAF-DB's basic part"
        )
        return rows.done()
    for number, line in root.lines(LIST):
        where = f"{LIST}:{number}"
        match = re.fullmatch(r"((train|test)_\d+)\.jpg\s+(\S+)", line)
        if not match:
            rows.problem("wrong column", where, f"{line[:60]!r}", "a line is 'train_00001.jpg 5'")
            continue
        stem, split, label = match.groups()
        if label not in set("1234567"):
            rows.label_problem(where, label, "1234567")
            continue
        more = _annotation(rows, stem) if variant == "original" else {}
        path = f"Image/original/{stem}.jpg" if variant == "original" else f"Image/aligned/{stem}_aligned.jpg"
        rows.add(path, RAF_DB[int(label) - 1], where=where, split=split, **more)
    return rows.done()


def _annotation(rows: Collector, stem: str) -> dict[str, Any]:
    """Box and points of an original image, as far as they are there; a file of another form is a problem."""
    annotation = {}
    for column, name, shape in (
        ("box", f"Annotation/boundingbox/{stem}_boundingbox.txt", (4,)),
        ("points", f"Annotation/manual/{stem}_manu_attri.txt", (5, 2)),
    ):
        if name not in rows.files:
            continue
        try:
            words = rows.files.text(name).split()[: math.prod(shape)]
            annotation[column] = np.array(words, dtype=float).reshape(shape)
        except ValueError:
            what, remedy = f"is not {math.prod(shape)} numbers", "unpack the annotations of RAF-DB again"
            rows.problem("wrong column", name, what, remedy)
    return annotation


COUNTS: dict[str, dict[str, int]] = {
    "train": dict(zip(RAF_DB, [1290, 281, 717, 4772, 1982, 705, 2524], strict=True)),
    "test": dict(zip(RAF_DB, [329, 74, 160, 1185, 478, 162, 680], strict=True)),
}

SET = DatasetInfo(
    name="raf-db",
    title="RAF-DB, basic expressions",
    read=read,
    variants={"aligned": RAF_DB, "original": RAF_DB},
    layout=(
        "EmoLabel/list_patition_label.txt\n"
        "Image/aligned/train_00001_aligned.jpg ...\n"
        "Image/original/train_00001.jpg ... (variant original)\n"
        "Annotation/boundingbox/train_00001_boundingbox.txt ... (if you like)\n"
        "Annotation/manual/train_00001_manu_attri.txt ... (if you like)"
    ),
    citation=(
        "S. Li, W. Deng, J. Du: Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression "
        "Recognition in the Wild. CVPR 2017."
    ),
    licence="Non-commercial research; each user signs the authors' agreement. Images may not be passed on.",
    obtain="http://www.whdeld.cn/RAF/model1.html, by e-mail to the authors from an academic address",
    expected={"aligned": COUNTS, "original": COUNTS},
    split_rule="train and test by the prefix of the name; no validation part",
    image_kind="aligned",
    image_kinds={"original": "photo"},
    known_faults=(
        "Strongly unbalanced: happiness is 17 times as frequent as fear.",
        "Copies aligned anew at 224 pixels go round; figures on them differ from those on the official images.",
    ),
)
