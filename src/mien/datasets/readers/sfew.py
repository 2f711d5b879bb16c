"""SFEW 2.0 (Dhall et al.: "Video and image based emotion recognition challenges in the wild", 2015).

Frames of films: `Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png`, and `Val/Val_Aligned_Faces/` or
`Val_Aligned_Faces_new/`; whole frames in the same class folders without `_Aligned_Faces` (variant original; their
exact place could not be confirmed: any folder called Train or Val above the class is taken). Aligned faces in one
folder beside `labels.csv` (path, label, subject: the film, split) are read as well. Labels of the test part were
never published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.class_folders import add_class_folders, is_image, note_absent
from mien.datasets.samples import Collector, Reading
from mien.labels import CAER_S, expression_called

SPLIT_OF_PART = {"train": "train", "val": "test"}

TABLE = "labels.csv"


def read(files: Distribution, variant: str) -> Reading:
    """Aligned faces or whole frames; `group` is the film."""
    if variant == "aligned" and (root := files.holding(TABLE)) is not None:
        return _read_table(root)
    rows = Collector(CAER_S, files)
    placed = []
    for name, part in _images(files, aligned=variant == "aligned"):
        if part not in SPLIT_OF_PART:
            rows.leave_out("the test part, whose labels are not published")
            continue
        split, (folder, file) = SPLIT_OF_PART[part], name.rsplit("/", 2)[1:]
        film = re.fullmatch(r"(.+)_\d+_\d+\.\w+", file)
        more = {"key": f"{part} {folder}/{file}", "group": film[1] if film else ""}
        placed.append((name, split, more))
    add_class_folders(rows, placed)
    layout = "Train/Train_Aligned_Faces/Angry/*.png" if variant == "aligned" else "Train/Angry/*.png"
    note_absent(rows, SPLIT_OF_PART.values(), {split for _, split, _ in placed}, layout=layout)
    return rows.done()


def _read_table(root: Distribution) -> Reading:
    rows = Collector(CAER_S, root)
    for number, line in root.rows(TABLE, ("path", "label", "subject", "split")):
        where = f"{TABLE}:{number}"
        if (split := SPLIT_OF_PART.get(line["split"].lower())) is None:
            rows.problem("wrong column", where, f"split {line['split']!r}", "it is train or val")
        elif (label := expression_called(line["label"])) is None:
            rows.label_problem(where, line["label"])
        else:
            rows.add(line["path"], label, where=where, split=split, group=line["subject"])
    return rows.done()


def _images(files: Distribution, *, aligned: bool) -> Iterator[tuple[str, str]]:
    """(name, "train", "val" or "test") by the folder nearest to the image that says it."""
    for name in files.names:
        folders = name.lower().split("/")[:-1]
        parts = [match for folder in folders if (match := re.match(r"(train|val|test)(_aligned_faces|$)", folder))]
        if parts and is_image(name) and aligned == any("_aligned_faces" in folder for folder in folders):
            yield name, parts[-1][1]


SET = DatasetInfo(
    name="sfew",
    title="SFEW 2.0",
    read=read,
    variants={"aligned": CAER_S, "original": CAER_S},
    layout=(
        "Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png ...\n"
        "Val/Val_Aligned_Faces/Angry/ ...\n"
        "or labels.csv: path,label,subject,split beside images/ (aligned faces)\n"
        "Train/Angry/ ... Val/Angry/ ... (variant original)"
    ),
    citation=(
        "A. Dhall, O. V. Ramana Murthy, R. Goecke, J. Joshi, T. Gedeon: Video and Image based Emotion Recognition "
        "Challenges in the Wild: EmotiW 2015. ICMI 2015."
    ),
    licence="Research only; each user signs the authors' agreement.",
    obtain="https://users.cecs.anu.edu.au/~few_group/AFEW.html, by e-mail to the authors",
    # The challenge's sums of frames; how many faces the authors aligned is not published.
    expected={"original": {"train": {"all": 958}, "test": {"all": 436}}},
    split_rule=(
        "Train is train; Val, which papers report on because the test labels are not public, is test; no "
        "validation part"
    ),
    image_kind="aligned",
    image_kinds={"original": "photo"},
    known_faults=(
        "The authors' detector missed some faces: there are fewer aligned faces than frames.",
        "Very small: one more image right changes the accuracy by 0.23 points.",
    ),
)
