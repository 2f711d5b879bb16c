"""CFEE, Compound Facial Expressions of Emotion (Du, Tao, Martinez, PNAS 2014): 22 posed categories.

`labels.csv` with path, label, subject, split and category beside `images/`. Neutral and the six basic emotions have
a label; the 15 compound categories have soft labels over the two emotions that they are made of, half each. Three
have a name of their own (hatred, appalled, awed); of these one emotion has two thirds. The shares are ours.
"""

from __future__ import annotations

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.own_labels import split_called
from mien.datasets.samples import Collector, Reading
from mien.labels import FERPLUS, expression_called

TABLE = "labels.csv"
COLUMNS = ("path", "subject", "split", "category")
EMOTIONS = {
    "happily": "happiness",
    "sadly": "sadness",
    "fearfully": "fear",
    "angrily": "anger",
    "disgustedly": "disgust",
}
UNEQUAL = {  # by the meaning of the word: what prevails, and the other
    "hatred": ("anger", "disgust"),
    "appalled": ("disgust", "anger"),
    "awed": ("surprise", "fear"),
}


def read(files: Distribution, variant: str) -> Reading:
    """One row per image with `votes`, the soft labels of its category; compound categories have no single label."""
    root = files.holding(TABLE)
    rows = Collector(FERPLUS, root or files)
    if root is None:
        rows.problem("missing file", str(files), f"{TABLE} is not there", "give the unpacked folder")
        return rows.done()
    for number, line in root.rows(TABLE, COLUMNS):
        where, category = f"{TABLE}:{number}", line["category"]
        split = split_called(line["split"])
        if (shares := shares_of(category)) is None:
            rows.label_problem(where, category, ["Happy", "Happily surprised", "Awed", "..."])
        elif split is None:
            rows.problem("wrong column", where, f"split {line['split']!r}", "it is train, valid or test")
        else:
            soft = np.array([shares.get(label, 0.0) for label in FERPLUS])
            label = next(iter(shares)) if len(shares) == 1 else None
            rows.add(
                line["path"],
                label,
                where=where,
                split=split,
                subject=line["subject"],
                votes=soft,
                category=category,
            )
    return rows.done()


def shares_of(category: str) -> dict[str, float] | None:
    """Class -> share of one of the 22 categories; None for others."""
    first, _, second = category.lower().partition(" ")
    if first in UNEQUAL and not second:
        return dict(zip(UNEQUAL[first], (2 / 3, 1 / 3), strict=True))
    if not second:
        label = expression_called(first)
        return None if label is None else {label: 1.0}
    other = expression_called(second)
    return None if first not in EMOTIONS or other is None else {EMOTIONS[first]: 0.5, other: 0.5}


SET = DatasetInfo(
    name="cfee",
    title="CFEE, Compound Facial Expressions of Emotion",
    read=read,
    variants={"": FERPLUS},
    layout="labels.csv: path,label,subject,split,category\nimages/cfee_0001.jpg ...",
    citation="S. Du, Y. Tao, A. M. Martinez: Compound facial expressions of emotion. PNAS 111 (15), 2014.",
    licence="Research only; each user signs the authors' agreement.",
    obtain="https://cbcsl.ece.ohio-state.edu/compound.html, by agreement",
    split_rule="the column split, by person",
    subjects=True,
    votes=True,
    known_faults=(
        "Posed: people show what they were told to.",
        "The shares of compound categories are ours: half each, two thirds of anger in hatred, of disgust in "
        "appalled, of surprise in awed. Nobody voted.",
        "Contempt is no category of the set.",
    ),
)
