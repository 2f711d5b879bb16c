"""BU-3DFE, Binghamton University 3D Facial Expression (Yin, Wei, Sun, Wang, Rosato, 2006).

F0001/F0001_AN01WH_F3D.wrl: subject, expression, intensity 01 to 04 (00 for neutral), ancestry, kind. Kinds: F3D is
the cropped scan with its texture .bmp, RAW the scan as taken, F2D a frontal image. Codes and kinds as public
programs that read the set list them; not confirmed on the set itself.

Views rendered from the scans have no customary names: papers render their own and do not publish them. Here they
are called after their scan and the pose of the head in degrees, with the signs of docs/concepts/conventions.md:
F0001_AN01WH_y+30_p-15.png.
"""

from __future__ import annotations

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import CODES, code_of, from_filenames
from mien.datasets.samples import Reading
from mien.labels import BASIC, CAER_S

SCAN = r"([FM]\d{4})_([A-Z]{2})(0[0-4])([A-Z]{2})"
ANCESTRY = "AE AM BL IN LA WH".split()  # as coded in the names
VIEW = "F0001_AN01WH_y+30_p-15.png"


def read(files: Distribution, variant: str) -> Reading:
    """Rendered views, or the F2D images (variants "frontal"), which count as yaw and pitch 0.

    The group of a row is its scan, of which there may be many views. Intensity is 0 for neutral.
    """
    labels = SET.variants[variant]
    frontal = variant.startswith("frontal")
    pattern = rf"{SCAN}(?:_(F2D|F3D|RAW)|(?:_F3D)?_Y([+-]?\d+)_P([+-]?\d+))"
    rows, named = from_filenames(files, labels, pattern, form="F0001_AN01WH_F2D.bmp" if frontal else VIEW)
    wanted = [(path, match) for path, match in named if match[5] == ("F2D" if frontal else None)]
    if named and not wanted:
        what, remedy = (
            ("F2D image", "unpack the set's F2D images")
            if frontal
            else ("rendered view", f"render the scans, call the views {VIEW}; or take the variant frontal-6")
        )
        rows.problem("missing file", str(rows.files), f"no {what} is there", remedy)
    for path, match in wanted:
        subject, code, level, ancestry, _, yaw, pitch = match.groups()
        if (label := code_of(rows, path, code, CODES)) is None:
            continue
        if (code == "NE") != (level == "00") or ancestry not in ANCESTRY:
            rows.problem(
                "misnamed", path, f"{code}{level}{ancestry} is no expression, intensity and ancestry of the set",
                f"NE goes with 00, others with 01 to 04; ancestry is one of {', '.join(ANCESTRY)}",
            )  # fmt: skip
        elif label not in labels:
            rows.leave_out("neutral is not among the six classes of this variant")
        else:
            rows.add(
                path, label, where=path, subject=subject, group=f"{subject}_{code}{level}{ancestry}",
                yaw_deg=float(yaw or 0), pitch_deg=float(pitch or 0), intensity=int(level), ancestry=ancestry,
            )  # fmt: skip
    return rows.done()


_FRONTAL: dict[str, int] = dict.fromkeys(BASIC, 400)  # 100 subjects, 4 intensities

SET = DatasetInfo(
    name="bu-3dfe",
    title="BU-3DFE, Binghamton University 3D Facial Expression",
    read=read,
    variants={"views-6": BASIC, "views-7": CAER_S, "frontal-6": BASIC, "frontal-7": CAER_S},
    layout=(
        "F0001/F0001_AN01WH_F2D.bmp ... (frontal images; variants frontal-6 and frontal-7)\n"
        "F0001/F0001_AN01WH_F3D.wrl ... (scans, not read: render them)\n"
        f"<any folder>/{VIEW} ... (renderings; variants views-6 and views-7)"
    ),
    citation=(
        "L. Yin, X. Wei, Y. Sun, J. Wang, M. Rosato: A 3D Facial Expression Database For Facial Behavior Research. "
        "IEEE Automatic Face and Gesture Recognition 2006."
    ),
    licence="Research and non-profit; an agreement is signed by the institution. Images may not be passed on.",
    obtain="https://www.cs.binghamton.edu/~lijun/Research/3DFE/3DFE_Analysis.html, by agreement",
    expected={"frontal-6": {"": _FRONTAL}, "frontal-7": {"": {**_FRONTAL, "neutral": 100}}},
    split_rule="none; folds by subject (F0001 to F0056, M0001 to M0044)",
    protocol="subject-folds",
    image_kind="photo",
    subjects=True,
    poses=True,
    known_faults=(
        "Papers render different views and take different intensities (often 03 and 04 only): say which.",
        "The pose of F2D images is taken as frontal; the set does not state it.",
    ),
)
