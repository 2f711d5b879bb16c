"""CMU Multi-PIE (Gross, Matthews, Cohn, Kanade, Baker: "Multi-PIE", Image and Vision Computing 28, 2010).

session01/multiview/001/01/05_1/001_01_01_051_07.png: subject, session, recording, camera, illumination. Which
recording of which session shows which expression, and which cameras see the right and which the left side of the
face, is from bob.db.multipie (create.py), the 15 degrees between neighbours from the paper.
"""

from __future__ import annotations

from math import nan

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import from_filenames
from mien.datasets.samples import Reading
from mien.labels import MULTI_PIE, Expression

EXPRESSIONS = {  # (session, recording) -> what was asked for; "smile" is happiness
    ("01", "01"): Expression.NEUTRAL,
    ("01", "02"): Expression.HAPPINESS,
    ("02", "01"): Expression.NEUTRAL,
    ("02", "02"): Expression.SURPRISE,
    ("02", "03"): Expression.SQUINT,
    ("03", "01"): Expression.NEUTRAL,
    ("03", "02"): Expression.HAPPINESS,
    ("03", "03"): Expression.DISGUST,
    ("04", "01"): Expression.NEUTRAL,
    ("04", "02"): Expression.NEUTRAL,
    ("04", "03"): Expression.SCREAM,
}

# From the left profile to the right one. A camera that sees the right side of the face (24_0: right profile) shows
# the nose towards the right edge of the image: positive yaw.
CAMERAS = "110 120 090 080 130 140 051 050 041 190 200 010 240".split()
YAW_DEG = dict(zip(CAMERAS, range(-90, 91, 15), strict=True))
SEVEN_VIEWS = {camera for camera, yaw in YAW_DEG.items() if abs(yaw) <= 45}
RAISED = "081", "191"  # above the others; their angles are not published


def read(files: Distribution, variant: str) -> Reading:
    """One row per image of the 15 cameras, or of the seven up to 45 degrees (variant 7-views).

    A group is one recording: all cameras, all illuminations. Yaw and pitch are unknown (NaN) for the two raised
    cameras.
    """
    pattern = r"(\d{3})_(0[1-4])_(\d\d)_(\d{3})_(\d\d)"
    rows, named = from_filenames(files, MULTI_PIE, pattern, form="001_01_01_051_07.png", skip=["highres"])
    for path, match in named:
        subject, session, recording, camera, illumination = match.groups()
        if (label := EXPRESSIONS.get((session, recording))) is None:
            rows.label_problem(path, f"session {session} recording {recording}", [" ".join(k) for k in EXPRESSIONS])
        elif camera not in YAW_DEG and camera not in RAISED:
            rows.problem(
                "misnamed", path, f"camera {camera} is unknown", f"it is of {', '.join((*CAMERAS, *RAISED))}"
            )
        elif variant == "7-views" and camera not in SEVEN_VIEWS:
            rows.leave_out("a camera beyond 45 degrees, or raised, which is not among the seven of this variant")
        else:
            rows.add(
                path, label, where=path, subject=subject, group=f"{subject}_{session}_{recording}",
                yaw_deg=float(YAW_DEG.get(camera, nan)), pitch_deg=nan if camera in RAISED else 0.0,
                session=int(session), camera=camera, illumination=int(illumination),
            )  # fmt: skip
    return rows.done()


SET = DatasetInfo(
    name="multi-pie",
    title="CMU Multi-PIE",
    read=read,
    variants={"all": MULTI_PIE, "7-views": MULTI_PIE},
    layout=(
        "data/session01/multiview/001/01/05_1/001_01_01_051_07.png ...\n"
        "data/session02 to session04 alike; highres/ is left out"
    ),
    citation="R. Gross, I. Matthews, J. Cohn, T. Kanade, S. Baker: Multi-PIE. Image and Vision Computing 28, 2010.",
    licence="Internal research by the licensee; images may not be passed on.",
    obtain="http://www.multipie.org, by agreement with Carnegie Mellon University",
    split_rule="none; folds by subject",
    protocol="subject-folds",
    image_kind="photo",
    subjects=True,
    poses=True,
    known_faults=(
        "337 subjects, not all in all four sessions: surprise and squint are only in session 2, disgust in 3, "
        "scream in 4, smile in 1 and 3.",
        "Each recording is seen by 15 cameras under up to 20 illuminations (columns camera and illumination), so "
        "most images repeat others; the variant 7-views has the seven cameras from -45 to 45 degrees.",
        "More than 750,000 images; the paper does not count them by class.",
    ),
)
