"""FER+ (Barsoum et al.: "Training deep networks ... with crowd-sourced label distribution", 2016).

Ten people vote on each image of FER2013 for one of eight classes, "unknown" or "NF" (no face). Images are the
PNG files that the authors' generate_training_data.py writes, or rows of `fer2013.csv`, whichever lies there; votes
are `fer2013new.csv`, or the `label.csv` that the same script puts into each folder. A row of `fer2013new.csv`
without an image name is an image that the authors removed (github.com/microsoft/FERPlus, issue 5).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.pixel_csv import USAGE_SPLITS, find_table, read_table
from mien.datasets.samples import Collector, Reading
from mien.labels import FERPLUS

LIST = "fer2013new.csv"
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
VOTE_COLUMNS = (*FERPLUS, "unknown", "NF")
COLUMNS = ("Usage", "Image name", *VOTE_COLUMNS)


class Line(NamedTuple):
    """One row of votes, as it stands."""

    where: str
    usage: str
    image: str
    votes: list[str]


def read(files: Distribution, variant: str) -> Reading:
    """Rows with `votes` as Barsoum et al. use them: single votes dropped, then normalised over the eight classes.

    The label is the class with most votes, or with more than half of those left when single votes are dropped
    (variant over-half, the rule "majority" of the authors' code). Where there is none (a tie, too few votes,
    "unknown" or "NF" wins) the label is -1; where "unknown" or "NF" has most votes there is no distribution either.
    """
    root = files.together(LIST, *FOLDERS.values())
    images = root is not None and any(root.holding(folder) for folder in FOLDERS.values())
    if not images and (table := find_table(files)) is not None:
        return _read_table(files.together(LIST, table[1]) or files, table[1], variant)
    rows = Collector(FERPLUS, root or files)
    if root is None or (lines := _lines(root)) is None:
        rows.problem("missing file", str(files), f"{LIST} is not there", "get it from github.com/microsoft/FERPlus")
        return rows.done()
    before = {usage: root.folder(name) or "" for usage, name in FOLDERS.items()}
    for line in lines:
        if line.usage not in FOLDERS:
            _wrong_usage(rows, line)
        elif line.image:
            path = f"{before[line.usage]}{FOLDERS[line.usage]}/{line.image}"
            _add(rows, path, line, variant)
    return rows.done()


def _read_table(root: Distribution, table: str, variant: str) -> Reading:
    """Votes and pixels in the same order of rows."""
    rows = Collector(FERPLUS, root)
    if (before := root.folder(LIST)) is None:
        rows.problem("missing file", str(root), f"{LIST} is not there", "get it from github.com/microsoft/FERPlus")
        return rows.done()
    name = f"{root.folder(table)}{table}"
    if (content := read_table(rows, name)) is None:
        return rows.done()
    pixels, images = content
    lines = list(_votes_of(root, before + LIST))
    if len(lines) != len(images):
        what = f"{len(lines)} rows of votes for {len(images)} images"
        rows.problem(
            "wrong column", before + LIST, what, f"get {LIST} and fer2013.csv again: their rows go together"
        )
        return rows.done()
    for row, (line, (number, _, usage)) in enumerate(zip(lines, images, strict=True)):
        if not line.image or not usage:
            continue
        if line.usage != usage:
            what = f"Usage is {line.usage!r}, but {usage!r} in {name}:{number}"
            rows.problem("wrong column", line.where, what, "the rows of both files go together; get both again")
        else:
            _add(rows, f"{name}#{row}", line, variant)
    return rows.done(decode=pixels)


def _lines(root: Distribution) -> Iterator[Line] | None:
    if (before := root.folder(LIST)) is not None:
        return _votes_of(root, before + LIST)
    own = {usage: f"{root.folder(name)}{name}/label.csv" for usage, name in FOLDERS.items()}
    own = {usage: name for usage, name in own.items() if name in root}
    return _labels_of(root, own) if own else None


def _votes_of(root: Distribution, name: str) -> Iterator[Line]:
    for number, row in root.rows(name, COLUMNS):
        yield Line(f"{name}:{number}", row["Usage"], row["Image name"], [row[column] for column in VOTE_COLUMNS])


def _labels_of(root: Distribution, own: dict[str, str]) -> Iterator[Line]:
    """label.csv has no header: image and ten votes; an earlier script wrote a box between them."""
    for usage, name in own.items():
        for number, line in root.lines(name):
            image, *rest = next(csv.reader([line]))
            votes = rest[1:] if len(rest) == len(VOTE_COLUMNS) + 1 else rest
            yield Line(f"{name}:{number}", usage, image.strip(), [vote.strip() for vote in votes])


def _wrong_usage(rows: Collector, line: Line) -> None:
    rows.problem(
        "wrong column", line.where, f"Usage {line.usage!r}", f"it must be one of {', '.join(USAGE_SPLITS)}"
    )


def _add(rows: Collector, path: str, line: Line, variant: str) -> None:
    if len(line.votes) != len(VOTE_COLUMNS) or not all(re.fullmatch("[0-9]{1,9}", vote) for vote in line.votes):
        remedy = f"a row has {len(VOTE_COLUMNS)} whole numbers, for {', '.join(VOTE_COLUMNS)}"
        rows.problem("wrong column", line.where, f"votes {','.join(line.votes)!r}", remedy)
        return
    label, votes = label_and_votes([int(vote) for vote in line.votes], over_half=variant == "over-half")
    rows.add(path, label, where=line.where, split=USAGE_SPLITS[line.usage], votes=votes)


def label_and_votes(counts: list[int], *, over_half: bool = False) -> tuple[str | None, np.ndarray | None]:
    """The label and the distribution (8,) that ten counts of votes stand for, each None where they give none."""
    most = max(counts)
    winner = counts.index(most)
    repeated = [count if count > 1 else 0 for count in counts]
    clear = 2 * most > sum(repeated) and most > 1 if over_half else counts.count(most) == 1
    label = FERPLUS[winner] if clear and winner < len(FERPLUS) else None
    votes = np.array(repeated[: len(FERPLUS)], dtype=float)
    if winner >= len(FERPLUS) or not votes.any():
        return label, None
    return label, votes / votes.sum()


def _counts(unclear: int, *published: int) -> dict[str, int]:
    return {**dict(zip(FERPLUS, published, strict=True)), "no label": unclear}


SET = DatasetInfo(
    name="ferplus",
    title="FER+",
    read=read,
    variants={"most-votes": FERPLUS, "over-half": FERPLUS},
    layout=(
        "fer2013new.csv: Usage,Image name,neutral,happiness, ... ,unknown,NF\n"
        "FER2013Train/fer0000000.png ... FER2013Valid/ FER2013Test/\n"
        "or, instead of the folders, fer2013.csv: emotion,pixels,Usage"
    ),
    citation=(
        "E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang: Training Deep Networks for Facial Expression "
        "Recognition with Crowd-Sourced Label Distribution. ICMI 2016."
    ),
    licence="Votes: MIT. Images: those of FER2013, no licence stated; research use.",
    obtain="votes from https://github.com/microsoft/FERPlus, images from the FER2013 challenge",
    # Named rows of the authors' fer2013new.csv: train and valid counted by these rules, test as papers state it.
    expected={
        "most-votes": {
            "train": _counts(1621, 9364, 7410, 3378, 3402, 2398, 175, 648, 162),
            "valid": _counts(183, 1242, 880, 441, 395, 310, 31, 73, 24),
            "test": {"all": 3573},
        },
        "over-half": {
            "train": _counts(3501, 8739, 7287, 3149, 3013, 2099, 119, 532, 119),
            "valid": _counts(380, 1182, 865, 415, 351, 287, 24, 62, 13),
            "test": {"all": 3573},
        },
    },
    split_rule="column Usage: Training is train, PublicTest is valid, PrivateTest is test",
    votes=True,
    known_faults=(
        "The test split repeats images of the training split, as in FER2013.",
        "Papers count labels by different rules; accuracies on different numbers of test images do not compare.",
        "Contempt and disgust have fewer than 200 training images each.",
    ),
)
