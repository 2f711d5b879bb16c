"""ExpW, Expression in the Wild (Zhang et al.: "From facial expression recognition to ...", 2018).

`label/label.lst` has a line per face: image_name face_id_in_image face_box_top face_box_left face_box_right
face_box_bottom face_box_confidence expression_label (the set's own readme); images are `image/origin/*.jpg`,
often with several faces.
"""

from __future__ import annotations

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Collector, Reading
from mien.labels import FER2013

LIST = "label.lst"
IMAGES = "origin"


def read(files: Distribution, variant: str) -> Reading:
    """One row per face with its `box`; `group` is the photo, `face` its number there, `face_score` the detector's.

    Labels 0 to 6 have the order of FER2013.
    """
    root = files.together(LIST, IMAGES)
    rows = Collector(FER2013, root or files)
    if root is None or (before := root.folder(LIST)) is None:
        rows.problem("missing file", str(files), f"{LIST} is not there", "unpack the labels of ExpW")
        return rows.done()
    images = f"{root.folder(IMAGES) or ''}{IMAGES}"
    for number, line in root.lines(before + LIST):
        where = f"{before}{LIST}:{number}"
        fields = line.rsplit(maxsplit=7)
        try:
            name, face = fields[0], int(fields[1])
            top, left, right, bottom, score = map(float, fields[2:7])
            label = fields[7]
        except (IndexError, ValueError):
            what, remedy = f"{line[:60]!r}", "a line is 'name.jpg face top left right bottom score label'"
            rows.problem("wrong column", where, what, remedy)
            continue
        if label not in set("0123456"):
            rows.label_problem(where, label, "0123456")
        else:
            path = f"{images}/{name}"
            rows.add(path, FER2013[int(label)], where=where, key=f"{path} face {face}", group=name,
                     box=(left, top, right, bottom), face=face, face_score=score)  # fmt: skip
    return rows.done()


SET = DatasetInfo(
    name="expw",
    title="ExpW",
    read=read,
    variants={"": FER2013},
    layout="label/label.lst\nimage/origin/*.jpg",
    citation=(
        "Z. Zhang, P. Luo, C. C. Loy, X. Tang: From Facial Expression Recognition to Interpersonal Relation "
        "Prediction. IJCV 2018."
    ),
    licence="Research only, not commercial.",
    obtain="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
    expected={"": {"": {"all": 91793}}},  # faces, as the authors count them; per class they publish nothing
    split_rule="none published; folds keep the faces of one photo together",
    protocol="group-folds",
    image_kind="photo",
    known_faults=(
        "Several rows have the same image and differ in their box.",
        "Papers split it at random, each in its own way; their figures do not compare.",
    ),
)
