"""The package's own set of rendered faces: what `mien data render` writes.

faces.csv has a row per image (its columns are explained in dataset.json beside it), images/ the images. Each
identity belongs to one split; an identity showing one expression in one take is seen from every yaw.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import SPLIT_NAMES, Collector, Reading
from mien.errors import DataError
from mien.geometry import SIDES
from mien.labels import FERPLUS, FERPLUS_7, Expression, expression_called

TABLE = "faces.csv"
DESCRIPTION = "dataset.json"
NUMBERS = ("intensity", "take", "yaw_class", "yaw_deg", "pitch_deg", "roll_deg", *SIDES)
COLUMNS = ("file", "split", "identity", "expression", *NUMBERS, "units", "landmarks", "visible")


def read(files: Distribution, variant: str) -> Reading:
    """One row per image; a group is one face, seen from all sides.

    Of `extra`, `yaw_class` is the yaw that was asked for (`yaw_deg` strays around it), `visible` has a digit for
    each of the 68 points: 0 where the head hides it.
    """
    root = files.holding(DESCRIPTION)
    rows = Collector(SET.variants[variant], root or files)
    if root is None or TABLE not in root:
        absent, remedy = (
            (TABLE, "run `mien data render` again: it goes on") if root else (DESCRIPTION, "give its folder")
        )
        rows.problem("missing file", str(rows.files), f"{absent} is not there", remedy)
        return rows.done()
    count = 0
    try:
        for number, line in root.rows(TABLE, COLUMNS):
            count += 1
            _add(rows, f"{TABLE}:{number}", line)
        wanted = int(json.loads(root.text(DESCRIPTION))["images"])
    except DataError as error:
        rows.problem("wrong column", f"{TABLE}:1", str(error), "render the faces again with --overwrite")
    except (ValueError, KeyError, TypeError):
        rows.problem("wrong column", DESCRIPTION, "it is damaged", "render the faces again with --overwrite")
    else:
        if count != wanted:
            what = f"{count} rows; {DESCRIPTION} counts {wanted} images"
            rows.problem("missing image", TABLE, what, "run `mien data render` again: it goes on")
    return rows.done()


def _add(rows: Collector, where: str, line: dict[str, str]) -> None:
    """One line of the table as a row, or as a problem."""
    try:
        numbers = {name: float(line[name]) for name in NUMBERS}
        points = np.array(line["landmarks"].split(), dtype=float).reshape(68, 2)
    except ValueError as error:
        rows.problem("wrong column", where, str(error), "render the faces again with --overwrite")
        return
    if line["split"] not in SPLIT_NAMES:
        rows.problem(
            "wrong column", where, f"split {line['split']!r} is unknown", f"it is {' or '.join(SPLIT_NAMES)}"
        )
    elif (label := expression_called(line["expression"])) is None:
        rows.label_problem(where, line["expression"])
    elif label is Expression.CONTEMPT and label not in rows.labels:
        rows.leave_out("contempt is not among the seven classes of this variant")
    else:
        more: dict[str, Any] = {name: numbers[name] for name in ("yaw_deg", "pitch_deg", "roll_deg", "yaw_class")}
        rows.add(
            line["file"], label, where=where, split=line["split"], subject=line["identity"],
            group=f"{line['identity']} {label} {line['take']}", points=points,
            box=np.array([numbers[side] for side in SIDES]),
            intensity=int(numbers["intensity"]), visible=line["visible"], units=line["units"], **more,
        )  # fmt: skip


SET = DatasetInfo(
    name="rendered",
    title="Rendered faces of known expression, identity and head pose",
    read=read,
    variants={"7": FERPLUS_7, "8": FERPLUS},
    layout="dataset.json\nfaces.csv\nimages/0007/fear_3_yaw-45.jpg ...",
    citation=(
        "mien, with ICT-FaceKit: R. Li et al.: Learning Formation of Physically-Based Face Attributes. CVPR 2020."
    ),
    licence="Made on your machine. The face model, ICT-FaceKit, is under the MIT licence.",
    obtain="mien data render --model ICT-FaceKit/FaceXModel --out DIR",
    split_rule="by identity: 3 train, 1 valid, 1 test of every five",
    image_kind="crop",
    subjects=True,
    poses=True,
    known_faults=(
        "Rendered faces are no photos: figures on them compare methods and poses, not what people look like.",
        "Emotions are made of action units as textbooks have them.",
    ),
)
