"""FERG-DB, six stylised characters (Aneja, Colburn, Faigin, Shapiro, Mones, 2016).

FERG_DB_256/aia/aia_anger/aia_anger_1.png; layout and counts per character and class from the README of the
distribution.
"""

from __future__ import annotations

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import from_filenames
from mien.datasets.samples import Reading
from mien.labels import CAER_S, expression_called

CHARACTERS = "aia bonnie jules malcolm mery ray".split()


def read(files: Distribution, variant: str) -> Reading:
    """One row per image; its folder says character and expression, and the character is the subject."""
    pattern = rf"({'|'.join(CHARACTERS)})_([a-z]+)/\1_\2_[^/]+"
    rows, named = from_filenames(files, CAER_S, pattern, form="aia/aia_anger/aia_anger_1.png")
    for path, match in named:
        if (label := expression_called(match[2])) is None:
            rows.label_problem(path, match[2])
        else:
            rows.add(path, label, where=path, subject=match[1].lower())
    return rows.done()


SET = DatasetInfo(
    name="ferg",
    title="FERG-DB, Facial Expression Research Group database",
    read=read,
    variants={"": CAER_S},
    layout="FERG_DB_256/<character>/<character>_<expression>/<character>_<expression>_1.png ...",
    citation=(
        "D. Aneja, A. Colburn, G. Faigin, L. Shapiro, B. Mones: Modeling Stylized Character Expressions via "
        "Deep Learning. ACCV 2016."
    ),
    licence="Non-commercial research; the characters belong to their makers.",
    obtain="https://grail.cs.washington.edu/projects/deepexpr/ferg-2d-db.html, on request",
    expected={"": {"": dict(zip(CAER_S, [9169, 8571, 7419, 7330, 6939, 7627, 8712], strict=True))}},
    split_rule="none; hold out whole characters",
    protocol="leave-one-subject-out",
    image_kind="crop",
    subjects=True,
    known_faults=("Frames of animations: neighbours are nearly the same image, so random splits measure memory.",),
)
