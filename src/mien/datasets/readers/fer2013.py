"""FER2013 (Goodfellow et al.: "Challenges in representation learning", 2013).

Four distributions are known by what lies there: `fer2013.csv` of the challenge (labels 0 to 6, pixels as numbers);
`icml_face_data.csv`, the same with other columns; the folders `train/angry/*.jpg` and `test/...` that go round on
Kaggle, where the names' prefix (`PublicTest_`, `PrivateTest_`) still says the split; and the image folders of
FER+ beside `fer2013_labels.csv` (split,image,fer2013_label).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.class_folders import add_class_folders, is_image, note_absent
from mien.datasets.readers.pixel_csv import USAGE_SPLITS, find_table, read_labelled
from mien.datasets.samples import Collector, Reading
from mien.labels import FER2013, expression_called

LABELS = "fer2013_labels.csv"
FOLDERS = {"Train": "train", "Valid": "valid", "Test": "test"}  # of FER+: FER2013Train, ...


def read(files: Distribution, variant: str) -> Reading:
    """Whichever of the four distributions lies there; the challenge's own table first."""
    if (table := find_table(files)) is not None:
        return read_labelled(Collector(FER2013, table[0]), table[1])
    if (root := files.holding(LABELS)) is not None:
        return _read_list(root)
    rows = Collector(FER2013, files)
    images = list(_folders(files))
    if not images:
        rows.problem(
            "missing file",
            str(files),
            f"neither fer2013.csv nor icml_face_data.csv nor {LABELS} nor train/angry/*.jpg is there",
            "unpack fer2013.tar.gz of the challenge",
        )
        return rows.done()
    add_class_folders(rows, ((name, split, {}) for name, split in images))
    note_absent(rows, USAGE_SPLITS.values(), {split for _, split in images}, layout="train/angry/*.jpg")
    return rows.done()


def _read_list(root: Distribution) -> Reading:
    rows = Collector(FER2013, root)
    for number, row in root.rows(LABELS, ["split", "image", "fer2013_label"]):
        where, split = f"{LABELS}:{number}", row["split"]
        if split not in FOLDERS or not row["image"]:
            what = f"split {split!r}, image {row['image']!r}"
            rows.problem("wrong column", where, what, "a line is 'Train,fer0000000.png,angry'")
        elif (label := expression_called(row["fer2013_label"])) is None:
            rows.label_problem(where, row["fer2013_label"])
        else:
            rows.add(f"FER2013{split}/{row['image']}", label, where=where, split=FOLDERS[split])
    return rows.done()


def _folders(files: Distribution) -> Iterator[tuple[str, str]]:
    """(name, split) of train/<class>/<image> and test/<class>/<image>."""
    for name in files.names:
        if (match := re.search(r"(?:^|/)(train|test)/[^/]+/([^/]+)$", name)) and is_image(name):
            usage = match[2].partition("_")[0]
            yield name, USAGE_SPLITS.get(usage, match[1])


def _counts(*published: int) -> dict[str, int]:
    return dict(zip(FER2013, published, strict=True))


SET = DatasetInfo(
    name="fer2013",
    title="FER2013",
    read=read,
    variants={"": FER2013},
    layout=(
        "fer2013.csv: emotion,pixels,Usage\n"
        "or icml_face_data.csv: emotion, Usage, pixels\n"
        "or train/angry/Training_123.jpg ... test/angry/PublicTest_123.jpg ...\n"
        "or fer2013_labels.csv beside FER2013Train/fer0000000.png ..."
    ),
    citation=(
        "I. Goodfellow et al.: Challenges in Representation Learning: A report on three machine learning contests. "
        "ICONIP 2013."
    ),
    licence="None stated by the challenge; the images are from the web. Research use.",
    obtain=(
        "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge, "
        "with an account"
    ),
    expected={  # rows of the challenge's fer2013.csv by Usage and emotion
        "": {
            "train": _counts(3995, 436, 4097, 7215, 4830, 3171, 4965),
            "valid": _counts(467, 56, 496, 895, 653, 415, 607),
            "test": _counts(491, 55, 528, 879, 594, 416, 626),
        }
    },
    split_rule="column Usage: Training is train, PublicTest is valid, PrivateTest is test",
    known_faults=(
        "The test split repeats images of the training split.",
        "Labels are noisy: people agree with them in about 65 of 100 cases; FER+ labels the same images anew.",
        "Some images show no face.",
    ),
)
