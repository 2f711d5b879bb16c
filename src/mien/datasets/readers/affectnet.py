"""AffectNet (Mollahosseini, Hasani, Mahoor: "AffectNet: a database for facial expression, ...", 2017).

Two distributions are known by what lies there. That of 2017: `training.csv` and `validation.csv` with
subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks (x;y of 68 points), expression,
valence, arousal, beside `Manually_Annotated_Images/`. The later one: `train_set/` and `val_set/`, each with
`images/123.jpg` (224 x 224 faces) and `annotations/123_exp.npy`, `_val.npy`, `_aro.npy`, `_lnd.npy`.

Expressions 8 (none), 9 (uncertain) and 10 (no face) are left out, and contempt from the seven. The half million
images of `automatically_annotated.csv` are not read: nobody looked at their labels.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Collector, Reading
from mien.errors import DataError
from mien.labels import AFFECTNET_7, AFFECTNET_8

LISTS = {"training.csv": "train", "validation.csv": "test"}
IMAGES = "Manually_Annotated_Images"
FOLDERS = {"train_set": "train", "val_set": "test"}
LEFT_OUT = {
    "7": "contempt, which is none of the seven classes",
    "8": "expression 8, none of the classes",
    "9": "expression 9, uncertain",
    "10": "expression 10, no face",
}
BOX = ("face_x", "face_y", "face_width", "face_height")
COLUMNS = ("subDirectory_filePath", *BOX, "facial_landmarks", "expression", "valence", "arousal")
KINDS = ("exp", "val", "aro", "lnd")  # the files of one image in the later distribution
READERS = 8  # threads; a local disk gains little, a network disk much


def read(files: Distribution, variant: str) -> Reading:
    """Rows with `points` (68, 2), `valence` and `arousal` in -1..1; boxes in the distribution of 2017 only."""
    classes = AFFECTNET_8 if variant == "8" else AFFECTNET_7
    if (root := files.together(*FOLDERS)) is not None and root.holding("annotations"):
        rows = Collector(classes, root)
        _read_folders(rows, root)
        return rows.done(release="folders")
    root = files.together(*LISTS, IMAGES)
    rows = Collector(classes, root or files)
    lists = {name: before for name in LISTS if root and (before := root.folder(name)) is not None}
    if root is None or not lists:
        what = "neither train_set/annotations nor training.csv is there"
        rows.problem("missing file", str(files), what, "unpack the annotations of AffectNet")
        return rows.done()
    images = f"{root.folder(IMAGES) or ''}{IMAGES}"
    for name, before in lists.items():
        _read_list(rows, before + name, images, LISTS[name])
    for name in LISTS.keys() - lists.keys():
        rows.note(f"{name} is not there; get it to have the {LISTS[name]} split")
    return rows.done(release="csv")


def _read_list(rows: Collector, name: str, images: str, split: str) -> None:
    for number, row in rows.files.rows(name, COLUMNS):
        where = f"{name}:{number}"
        if (label := _label(rows, row["expression"], where)) is None:
            continue
        try:
            left, top, wide, high = (float(row[column]) for column in BOX)
            points = np.array(row["facial_landmarks"].split(";"), dtype=np.float32).reshape(68, 2)
            more: dict[str, Any] = {"valence": float(row["valence"]), "arousal": float(row["arousal"])}
        except ValueError:
            what = "box, valence or arousal is no number, or there are not 68 landmarks"
            rows.problem("wrong column", where, what, "get the list again")
            continue
        box = (left, top, left + wide, top + high)
        path = f"{images}/{row['subDirectory_filePath']}"
        rows.add(path, label, where=where, split=split, box=box, points=points, **more)


def _label(rows: Collector, expression: str, where: str) -> str | None:
    """The class of an expression 0 to 10; None where it is left out or, a problem, is no such number."""
    if expression in map(str, range(len(rows.labels))):
        return rows.labels[int(expression)]
    if expression in LEFT_OUT:
        rows.leave_out(LEFT_OUT[expression])
    else:
        rows.label_problem(where, expression, [str(i) for i in range(11)])
    return None


def _read_folders(rows: Collector, root: Distribution) -> None:
    images: dict[str, str] = {}  # "train_set/images/123" -> with its suffix
    stems: list[tuple[str, str, str]] = []  # ("train_set", "123", split)
    for name in root.names:
        folder, _, file = name.rpartition("/")
        above, _, inner = folder.rpartition("/")
        if (part := above.rpartition("/")[2]) not in FOLDERS:
            continue
        if inner == "images":
            images[name.rpartition(".")[0]] = name
        elif inner == "annotations" and file.endswith("_exp.npy"):
            stems.append((above, file.removesuffix("_exp.npy"), FOLDERS[part]))
    annotated = {f"{folder}/images/{stem}" for folder, stem, _ in stems}
    for _ in images.keys() - annotated:
        rows.leave_out("an image without annotation")
    values = _values(root, [f"{folder}/annotations/{stem}" for folder, stem, _ in stems])
    for (folder, stem, split), (expression, valence, arousal, points) in zip(stems, values, strict=True):
        where = f"{folder}/annotations/{stem}_exp.npy"
        if expression is None:
            rows.problem("wrong column", where, "is not an array of one value", "unpack the annotations again")
            continue
        if (label := _label(rows, f"{expression[0]:g}", where)) is None:
            continue
        path = images.get(f"{folder}/images/{stem}", f"{folder}/images/{stem}.jpg")
        more: dict[str, Any] = {
            "valence": float("nan") if valence is None else float(valence[0]),
            "arousal": float("nan") if arousal is None else float(arousal[0]),
            "points": None if points is None else points.astype(np.float32).reshape(68, 2),
        }
        rows.add(path, label, where=where, split=split, **more)
    splits = {split for _, _, split in stems}
    if not splits:
        rows.problem("missing file", str(root), "no annotations/*_exp.npy is there", "unpack the annotations")
    for folder, split in FOLDERS.items():
        if splits and split not in splits:
            rows.note(f"no annotation of {folder} is there; unpack it to have the {split} split")


def _values(root: Distribution, stems: Sequence[str]) -> list[list[np.ndarray | None]]:
    """The four arrays of each image, float; None for one that is absent or damaged.

    A million files: each is opened once, by several threads in runs of neighbours, and headers that repeat are
    understood once.
    """
    sizes = (1, 1, 1, 136)

    def some(part: Sequence[str]) -> list[list[np.ndarray | None]]:
        return [[_array(root, f"{stem}_{kind}.npy", size) for kind, size in zip(KINDS, sizes, strict=True)]
                for stem in part]  # fmt: skip

    runs = [stems[start : start + 1000] for start in range(0, len(stems), 1000)]
    with ThreadPoolExecutor(1 if root.zipped else READERS) as threads:
        return [values for run in threads.map(some, runs) for values in run]


def _array(root: Distribution, name: str, size: int) -> np.ndarray | None:
    try:
        data = root.read(name)
        kind, start = _header(data[: 10 + int.from_bytes(data[8:10], "little")])
        values = np.frombuffer(data, dtype=kind, offset=start).astype(np.float64)
    except (DataError, ValueError, SyntaxError, KeyError, TypeError):
        return None
    return values if values.size == size else None


@lru_cache(maxsize=256)
def _header(head: bytes) -> tuple[np.dtype, int]:
    """Type of the values and where they start, from what stands before them in a .npy file (version 1)."""
    if not head.startswith(b"\x93NUMPY\x01"):
        raise ValueError("no array file of version 1")
    described = ast.literal_eval(head[10:].decode("latin-1"))
    return np.dtype(described["descr"]), len(head)


def _counts(*published: int) -> dict[str, int]:
    return dict(zip(AFFECTNET_8, published, strict=False))


# Table 3 of the paper less the 500 of each class that were put aside for validation; the sums, 283,901 and 287,651,
# are those that papers on the set report. One contempt image is absent from the later val_set.
TRAIN = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)

SET = DatasetInfo(
    name="affectnet",
    title="AffectNet",
    read=read,
    variants={"7": AFFECTNET_7, "8": AFFECTNET_8},
    layout=(
        "train_set/images/123.jpg ... train_set/annotations/123_exp.npy 123_val.npy 123_aro.npy 123_lnd.npy ...\n"
        "val_set/ (the same)\n"
        "or training.csv, validation.csv\n"
        "Manually_Annotated_Images/1/abc.jpg ..."
    ),
    citation=(
        "A. Mollahosseini, B. Hasani, M. H. Mahoor: AffectNet: A Database for Facial Expression, Valence, and "
        "Arousal Computing in the Wild. IEEE Transactions on Affective Computing, 2017."
    ),
    licence="Non-commercial research; the authors' agreement is signed by a member of an academic institution.",
    obtain="http://mohammadmahoor.com/affectnet/, by request to the authors",
    expected={
        "7": {"train": _counts(*TRAIN[:7]), "test": _counts(*[500] * 7)},
        "8": {"train": _counts(*TRAIN), "test": _counts(*[500] * 8)},
        "8 folders": {"train": _counts(*TRAIN), "test": _counts(*[500] * 7, 499)},
    },
    split_rule=(
        "The test labels were never published. The validation part, which every paper reports on, is test: it must "
        "not choose anything in training. No validation part."
    ),
    known_faults=(
        "Happiness is 36 times as frequent as contempt in train, while test has equally many of each class.",
        "One person labelled each image; two people agree on 61 in 100.",
        "The two distributions crop faces differently; accuracies on one do not hold for the other.",
    ),
)
