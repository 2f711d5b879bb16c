"""CK+, Extended Cohn-Kanade (Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews, 2010).

cohn-kanade-images/S005/001/S005_001_00000001.png ...: subject, sequence, frame; a sequence runs from neutral to the
peak. Emotion/S005/001/S005_001_00000011_emotion.txt names the class of 327 of the 593 sequences by its number in
`CK_PLUS`, Landmarks/.../S005_001_00000011_landmarks.txt has 68 points per frame. Each comes in its own archive,
with further folders around it or not; files are therefore found by their names.

The usual protocol takes the last three frames of each labelled sequence as its class and the first as neutral, in
ten folds without common subjects. Two copies of 48 pixels go round: CK+48 has the last three frames of each
sequence, ckextended.csv has 45 images of anger, 59 disgust, 25 fear, 69 happiness, 28 sadness, 83 surprise, 593
neutral and 18 contempt (as https://huggingface.co/datasets/AlirezaF138/ckplus-dataset quotes its page on Kaggle).
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import from_filenames
from mien.datasets.readers.pixel_csv import read_labelled
from mien.datasets.samples import Collector, Reading
from mien.labels import CK_PLUS, CK_PLUS_7, CK_PLUS_48, CK_PLUS_48_CSV, Expression, LabelSet, expression_called

TABLE = "ckextended.csv"
FRAME = r"(S\d{3})_(\d{3})_(\d{8})"


def read(files: Distribution, variant: str) -> Reading:
    """Frames of the original sequences, or copies of 48 pixels that go round (variants "48" and "48-csv")."""
    if variant == "48":
        return _read_folders(files)
    if variant == "48-csv":
        return _read_table(files)
    return _read_sequences(files, SET.variants[variant])


def _read_sequences(files: Distribution, labels: LabelSet) -> Reading:
    rows, named = from_filenames(files, labels, FRAME, form="S005/001/S005_001_00000011.png")
    frames: dict[str, list[tuple[str, str]]] = defaultdict(list)  # sequence -> (number, path) in order
    for path, at in named:
        frames[f"{at[1]}_{at[2]}"].append((at[3], path))
    texts = {name.rpartition("/")[2]: name for name in files.names if name.endswith(".txt")}
    emotions = [(name, match) for name in texts if (match := re.fullmatch(FRAME + "_emotion.txt", name))]
    if not emotions:
        rows.problem(
            "missing file", str(files), "no S005_001_00000011_emotion.txt is there",
            "unpack Emotion_labels.zip; or take the variant 48 for folders of 48-pixel images",
        )  # fmt: skip
    for name, match in sorted(emotions, key=lambda pair: pair[0]):
        where, sequence = f"{texts[name]}:1", f"{match[1]}_{match[2]}"
        if (label := _emotion(files.text(texts[name]))) is None:
            rows.label_problem(where, files.text(texts[name]).strip()[:20], [str(i) for i in range(len(CK_PLUS))])
            continue
        shown = sorted(frames[sequence])
        if not shown or shown[-1][0] < match[3]:
            rows.problem(
                "missing image", where, f"frame {match[3]} of {sequence} is not there",
                "unpack extended-cohn-kanade-images.zip",
            )  # fmt: skip
            continue
        if label not in labels:
            rows.leave_out("contempt (a whole sequence) is not among the classes of this variant")
            continue
        for number, (_, path) in [(0, shown[0]), *enumerate(shown[1:][-3:], start=1)]:
            more: dict[str, Any] = {}
            if text := texts.get(f"{path.rpartition('/')[2].rpartition('.')[0]}_landmarks.txt"):
                if (points := _points(files, text)) is None:
                    rows.problem(
                        "wrong column", text, "these are not 68 lines of x and y", "unpack Landmarks.zip again"
                    )
                    continue
                more["points"] = points
            shows = label if number else Expression.NEUTRAL
            rows.add(path, shows, where=where, subject=match[1], group=sequence, **more)
    return rows.done()


def _emotion(text: str) -> str | None:
    """`   3.0000000e+00` is the class of that number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return CK_PLUS[int(number)] if number in range(len(CK_PLUS)) else None


def _points(files: Distribution, name: str) -> np.ndarray | None:
    """68 lines of x and y in pixels -> (68, 2); None for anything else."""
    try:
        points = np.array([[float(value) for value in line.split()] for _, line in files.lines(name)])
    except ValueError:
        return None
    return points if points.shape == (68, 2) and np.isfinite(points).all() else None


def _read_folders(files: Distribution) -> Reading:
    rows, named = from_filenames(files, CK_PLUS_48, rf"([a-z]+)/{FRAME}", form="anger/S010_004_00000017.png")
    for path, match in named:
        if (label := expression_called(match[1])) is None:
            rows.label_problem(path, match[1])
        else:
            rows.add(path, label, where=path, subject=match[2], group=f"{match[2]}_{match[3]}")
    return rows.done()


def _read_table(files: Distribution) -> Reading:
    root = files.holding(TABLE)
    rows = Collector(CK_PLUS_48_CSV, root or files)
    if root is None:
        rows.problem("missing file", str(files), f"{TABLE} is not there", "give its folder")
        return rows.done()
    return read_labelled(rows, TABLE)


# Sequences per class: Lucey et al., table 3.
_SEQUENCES = dict(zip(CK_PLUS_48, [45, 18, 59, 25, 69, 28, 83], strict=True))
_THREE: dict[str, int] = {label: 3 * count for label, count in _SEQUENCES.items()}

SET = DatasetInfo(
    name="ck+",
    title="CK+, Extended Cohn-Kanade",
    read=read,
    variants={"8": CK_PLUS, "7": CK_PLUS_7, "48": CK_PLUS_48, "48-csv": CK_PLUS_48_CSV},
    layout=(
        "cohn-kanade-images/S005/001/S005_001_00000001.png ...\n"
        "Emotion/S005/001/S005_001_00000011_emotion.txt ...\n"
        "Landmarks/S005/001/S005_001_00000001_landmarks.txt ... (optional: 68 points)\n"
        "CK+48/anger/S010_004_00000017.png ... (variant 48)\n"
        "ckextended.csv: emotion,pixels,Usage (variant 48-csv)"
    ),
    citation=(
        "P. Lucey, J. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews: The Extended Cohn-Kanade Dataset "
        "(CK+): A complete dataset for action unit and emotion-specified expression. CVPR Workshops 2010."
    ),
    licence="Non-commercial research; an agreement is signed. Only some subjects may be shown in print.",
    obtain="https://www.jeffcohn.net/Resources/; the copies of 48 pixels are on Kaggle, put there by others",
    expected={
        "8": {"": {"neutral": 327, **_THREE}},
        "7": {"": {"neutral": 309, **{label: count for label, count in _THREE.items() if label in CK_PLUS_7}}},
        "48": {"": _THREE},
    },
    split_rule=(
        "none; ten folds by subject, of the last three frames of a sequence and its first as neutral; "
        "variant 48-csv: column Usage"
    ),
    protocol="subject-folds",
    image_kind="photo",
    image_kinds={"48": "crop", "48-csv": "crop"},
    subjects=True,
    known_faults=(
        "The last three frames of a sequence are nearly the same image: keep them in one fold.",
        "CK+48 has no neutral class.",
        "ckextended.csv does not say who is seen, so its splits may share people; 593 of 920 images are neutral.",
        "Seven classes mean two things in papers: without contempt (variant 7), or without neutral.",
    ),
)
