"""Aff-Wild2, expressions (Kollias, Zafeiriou: "Expression, affect, action unit recognition: Aff-Wild2", 2019).

The annotations of the ABAW competitions: a text file per video in `EXPR_Classification_Challenge/Train_Set/` and
`Validation_Set/` (`EXPR_Recognition_Challenge/` since the sixth). Its first line names the classes, then comes a
label per frame, -1 where there is none. Images are the frames that the organisers cropped and aligned:
`cropped_aligned/<video>/00001.jpg` and `cropped_aligned_new_50_vids/`, counted from 1; where no face was found
there is no image. `<video>_left` and `<video>_right` are further people of a video.
"""

from __future__ import annotations

import re
from collections import defaultdict

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Collector, Reading
from mien.labels import AFF_WILD2, expression_called

SPLIT_OF_FOLDER = {"Train": "train", "Validation": "test"}
ANNOTATION = re.compile(r"(?:.*/)?EXPR_\w+/(Train|Validation)_Set/([^/]+)\.txt")
FRAME = re.compile(r"(?:.*/)?cropped_aligned[^/]*/(?:.*/)?([^/]+)/(\d+)\.jpg")


def read(files: Distribution, variant: str) -> Reading:
    """A row per annotated frame that has an image; `group` is the video, `frame` counts from 1."""
    rows = Collector(AFF_WILD2, files)
    lists: list[tuple[str, str, str]] = []  # (name, split, video)
    frames: dict[str, dict[int, str]] = defaultdict(dict)  # video -> number -> name
    for name in files.names:
        if match := FRAME.fullmatch(name):
            frames[match[1]][int(match[2])] = name
        elif match := ANNOTATION.fullmatch(name):
            lists.append((name, SPLIT_OF_FOLDER[match[1]], match[2]))
    if not lists:
        what = "no EXPR_Classification_Challenge/Train_Set/*.txt is there"
        rows.problem("missing file", str(files), what, "unpack the annotations of the ABAW competition")
    for name, split, video in lists:
        if video in frames:
            _read_video(rows, name, split, video, frames[video])
        else:
            rows.missing(f"cropped_aligned/{video}/", where=name, split=split)
    for _ in frames.keys() - {video for _, _, video in lists}:
        rows.leave_out("a video without annotation of expressions")
    return rows.done()


def _read_video(rows: Collector, name: str, split: str, video: str, frames: dict[int, str]) -> None:
    lines = rows.files.text(name).splitlines()
    words = [word.strip() for word in lines[0].split(",")] if lines else []
    classes = [expression_called(word) for word in words]
    if len(classes) < 2 or None in classes:
        what = f"{lines[0][:60]!r} names no classes" if lines else "is empty"
        rows.problem("wrong column", f"{name}:1", what, "the first line is 'Neutral,Anger,Disgust,...'")
        return
    group = re.sub(r"_(left|right)$", "", video)
    known = {str(i): label for i, label in enumerate(classes)}
    labels = [line.strip() for line in lines[1:]]
    for frame, word in enumerate(labels, start=1):
        if word == "-1":
            rows.leave_out("a frame without annotation (-1)")
        elif word not in known:
            rows.label_problem(f"{name}:{frame + 1}", word, ["-1", *known])
        elif frame not in frames:
            rows.leave_out("an annotated frame in which no face was found: it has no image")
        else:
            where = f"{name}:{frame + 1}"
            rows.add(frames[frame], known[word], where=where, split=split, group=group, frame=frame)
    for _ in range(sum(frame > len(labels) or frame < 1 for frame in frames)):
        rows.leave_out("an image of a frame that the annotation does not reach")


SET = DatasetInfo(
    name="aff-wild2",
    title="Aff-Wild2, expressions",
    read=read,
    variants={"": AFF_WILD2},
    layout=(
        "EXPR_Classification_Challenge/Train_Set/1-30-1280x720.txt ... Validation_Set/ ...\n"
        "cropped_aligned/1-30-1280x720/00001.jpg ..."
    ),
    citation=(
        "D. Kollias, S. Zafeiriou: Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task Learning and "
        "ArcFace. BMVC 2019."
    ),
    licence="Non-commercial research; an agreement is signed by a member of an academic institution.",
    obtain="https://ibug.doc.ic.ac.uk/resources/aff-wild2/, by e-mail to the authors",
    split_rule=(
        "Train_Set is train; Validation_Set, which papers report on because the test labels are kept, is "
        "test; no validation part"
    ),
    image_kind="aligned",
    known_faults=(
        "Frames follow each other: keep videos (the column group) together when a part is cut from train.",
        "How many frames are annotated differs between the competitions; say whose annotations were used.",
        "The class other is no expression by itself.",
    ),
)
