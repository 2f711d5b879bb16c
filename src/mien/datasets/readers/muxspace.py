"""The facial expressions of github.com/muxspace/facial_expressions: faces of the news, labelled by students.

`data/legend.csv` (user.id,image,emotion, in any spelling) beside `images/`; or a reduced copy with `legend.csv`
(image,emotion,width,height) beside `images/`. Most images are of LFW and are called after who is seen.
"""

from __future__ import annotations

import re

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Collector, Reading
from mien.labels import FERPLUS, expression_called

LIST = "legend.csv"
PERSON = re.compile(r"([A-Z].*)_\d{4}\.\w+")  # Aaron_Eckhart_0001.jpg, as LFW names its images


def read(files: Distribution, variant: str) -> Reading:
    """`subject` is the name in the image's name, or "" where none is; `annotator` is who labelled it."""
    root = files.together(LIST, "images")
    rows = Collector(FERPLUS, root or files)
    if root is None or (before := root.folder(LIST)) is None:
        rows.problem("missing file", str(files), f"{LIST} is not there", "clone the whole repository")
        return rows.done()
    images = f"{root.folder('images') or ''}images"
    for number, row in root.rows(before + LIST, ["image", "emotion"]):
        where = f"{before}{LIST}:{number}"
        if not row["image"] or not row["emotion"]:
            what = f"image {row['image']!r}, emotion {row['emotion']!r}"
            rows.problem("wrong column", where, what, "both must be given")
        elif (label := expression_called(row["emotion"])) is None:
            rows.label_problem(where, row["emotion"])
        else:
            person = PERSON.fullmatch(row["image"])
            more = {"annotator": row["user.id"]} if "user.id" in row else {}
            subject = person[1] if person else ""
            rows.add(f"{images}/{row['image']}", label, where=where, subject=subject, **more)
    return rows.done()


SET = DatasetInfo(
    name="muxspace",
    title="Facial expressions of muxspace",
    read=read,
    variants={"": FERPLUS},
    layout="data/legend.csv: user.id,image,emotion (or legend.csv: image,emotion,width,height)\nimages/*.jpg",
    citation="B. Lee Yung Rowe (muxspace): facial_expressions. https://github.com/muxspace/facial_expressions.",
    licence="Repository: Apache-2.0. The photos are of the news and the web: research use.",
    obtain="git clone https://github.com/muxspace/facial_expressions",
    split_rule="none published; folds keep the images of one person together",
    protocol="subject-folds",
    subjects=True,
    known_faults=(
        "One student labelled each image; labels are noisy.",
        "Nearly all are neutral or happy; there is hardly any fear or contempt.",
        "About one image in twenty does not say who is seen.",
    ),
)
