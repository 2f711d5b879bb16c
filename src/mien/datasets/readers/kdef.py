"""KDEF, Karolinska Directed Emotional Faces (Lundqvist, Flykt, Öhman, 1998).

AF01ANFL.JPG: session A or B, sex, number, expression, angle; from "About KDEF" at https://www.kdef.se.

The angles are called full left profile, half left profile, straight, half right profile and full right profile.
A left profile shows the left side of a face, so its nose points to the left edge of the image: negative yaw
(docs/concepts/conventions.md). Not confirmed on the images.
"""

from __future__ import annotations

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import CODES, code_of, from_filenames
from mien.datasets.samples import Reading
from mien.labels import CAER_S

EXPRESSIONS = {("AF" if code == "FE" else code): label for code, label in CODES.items()}
YAW_DEG = {"FL": -90.0, "HL": -45.0, "S": 0.0, "HR": 45.0, "FR": 90.0}
RENAMED = {"AF31V": "AF31SAHL", "AM31H": "AM31SUHR"}  # names cut short in the distribution -> what they stand for
NAME = r"([AB])([FM])(0[1-9]|[12]\d|3[0-5])([A-Z]{2})(FL|HL|S|HR|FR)"


def read(files: Distribution, variant: str) -> Reading:
    """One row per image. Sessions A and B show the same people: the subject is sex and number."""
    rows, named = from_filenames(files, CAER_S, NAME, form="AF01ANFL.JPG", skip=["AKDEF"], renamed=RENAMED)
    for path, match in named:
        session, sex, number, code, angle = match.groups()
        if label := code_of(rows, path, code, EXPRESSIONS):
            rows.add(
                path,
                label,
                where=path,
                subject=sex + number,
                yaw_deg=YAW_DEG[angle],
                pitch_deg=0.0,
                session=session,
            )
    return rows.done()


SET = DatasetInfo(
    name="kdef",
    title="KDEF, Karolinska Directed Emotional Faces",
    read=read,
    variants={"": CAER_S},
    layout="KDEF/AF01/AF01ANFL.JPG ... (AKDEF/, the averaged faces, is left out)",
    citation=(
        "D. Lundqvist, A. Flykt, A. Öhman: The Karolinska Directed Emotional Faces - KDEF. CD ROM, Department of "
        "Clinical Neuroscience, Psychology section, Karolinska Institutet, 1998. ISBN 91-630-7164-9."
    ),
    licence="Non-commercial research; images may not be passed on.",
    obtain="https://www.kdef.se",
    # 70 people, 2 sessions, 5 angles, each expression once
    expected={"": {"": dict.fromkeys(CAER_S, 700)}},
    split_rule="none; folds by person over both sessions",
    protocol="subject-folds",
    image_kind="photo",
    subjects=True,
    poses=True,
    known_faults=(
        "AF31V.JPG and AM31H.JPG carry cut names; they are read as AF31SAHL and AM31SUHR.",
        "Users report black images in the public distribution: AF01SUFR AF10AFFR AF11NEHL AF20DIHL AM25DIFL "
        "AM34DIFR BF13NEHR BM21DIFL BM22DIHL BM24DIFL.",
    ),
)
