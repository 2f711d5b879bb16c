"""JAFFE, Japanese Female Facial Expression (Lyons, Akamatsu, Kamachi, Gyoba, 1998).

KA.AN1.39.tiff: subject, expression with the number of the take, running number. All lie in one folder, whose name
differs between distributions. Counts per class are those of the 213 names of the distribution; their sum is on
https://zenodo.org/records/3451524.
"""

from __future__ import annotations

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.filename_patterns import CODES, code_of, from_filenames
from mien.datasets.samples import Reading
from mien.labels import CAER_S

SUBJECTS = "KA KL KM KR MK NA NM TM UY YM".split()


def read(files: Distribution, variant: str) -> Reading:
    """One row per image; the subject is the first two letters of its name."""
    pattern = rf"({'|'.join(SUBJECTS)})\.([A-Z]{{2}})\d\.\d+"
    rows, named = from_filenames(files, CAER_S, pattern, form="KA.AN1.39.tiff")
    for path, match in named:
        if label := code_of(rows, path, match[2], CODES):
            rows.add(path, label, where=path, subject=match[1])
    return rows.done()


SET = DatasetInfo(
    name="jaffe",
    title="JAFFE, Japanese Female Facial Expression",
    read=read,
    variants={"": CAER_S},
    layout="KA.AN1.39.tiff ... (213 images in one folder, at any depth)",
    citation=(
        "M. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba: Coding Facial Expressions with Gabor Wavelets. "
        "IEEE Automatic Face and Gesture Recognition 1998."
    ),
    licence="Non-commercial research; images may not be passed on.",
    obtain="https://zenodo.org/records/3451524, on request",
    expected={"": {"": dict(zip(CAER_S, [30, 29, 32, 31, 30, 31, 30], strict=True))}},
    split_rule="none; published figures leave one subject out, or (easier) one image",
    protocol="leave-one-subject-out",
    image_kind="photo",
    subjects=True,
    known_faults=(
        "Labels are the posed expressions; the ratings of 60 viewers in the README disagree with some of them.",
        "Ten subjects: figures from folds that share subjects are far higher and not comparable.",
    ),
)
