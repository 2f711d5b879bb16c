"""Truth and answers of the same images, in the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mien.errors import InputError
from mien.geometry import iou
from mien.labels import LabelSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One row per labelled image. What is not known is None, or "" in a single row."""

    labels: LabelSet
    truth: np.ndarray  # (N,) index into labels
    probabilities: np.ndarray  # (N, K); a row of zeros: no answer
    path: np.ndarray  # (N,) str
    row: np.ndarray  # (N,) int: of the table that was judged
    subject: np.ndarray | None = None  # (N,) str
    pose: np.ndarray | None = None  # (N,) str: name of the pose class
    notes: tuple[str, ...] = ()  # what was done to them

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Predictions:
        """Some rows, by index or mask."""
        return replace(
            self,
            truth=self.truth[rows],
            probabilities=self.probabilities[rows],
            path=self.path[rows],
            row=self.row[rows],
            subject=None if self.subject is None else self.subject[rows],
            pose=None if self.pose is None else self.pose[rows],
        )


def matched(
    *,
    truth: np.ndarray,
    of: LabelSet,
    probabilities: np.ndarray,
    answered: LabelSet,
    path: np.ndarray,
    subject: np.ndarray | None = None,
    pose: np.ndarray | None = None,
) -> Predictions:
    """Truth in the classes of a set, answers in those of a network -> both in the classes they share, by name.

    Images of a class that the network lacks are left out; the network's other classes are taken out
    of its answers, which then sum to 1 again; images without a label (-1) are left out. `notes` says so.
    Raises `InputError` where fewer than two classes are shared or no image is left.
    """
    shared = LabelSet(" ".join(label for label in of if label in answered))
    if len(shared) < 2:
        raise InputError(f"the set has {', '.join(of)}; the answers {', '.join(answered)}: too few in common")
    notes = []
    moves = np.array([shared.index(label) if label in shared else -2 for label in of] + [-1])
    moved = moves[truth]
    if unlabelled := int((moved == -1).sum()):
        notes.append(f"left out: {unlabelled} without a single label")
    if foreign := int((moved == -2).sum()):
        lacking = ", ".join(label for label in of if label not in shared)
        notes.append(f"left out: {foreign} of classes that the network lacks ({lacking})")
    if dropped := [label for label in answered if label not in shared]:
        notes.append(f"the answers were restricted to the classes of the set (without {', '.join(dropped)})")
    kept = probabilities[:, [answered.index(label) for label in shared]]
    total = kept.sum(axis=1, keepdims=True)
    rows = moved >= 0
    if not rows.any():
        raise InputError("no image has a label that the network can answer")
    return Predictions(
        labels=shared,
        truth=moved,
        probabilities=kept / np.where(total > 0, total, 1),
        path=path,
        row=np.arange(len(truth)),
        subject=subject,
        pose=pose,
        notes=tuple(notes),
    ).take(rows)


def from_rows(
    rows: Sequence[Mapping[str, Any]],
    labels: LabelSet,
    paths: Sequence[str],
    *,
    root: str,
    boxes: np.ndarray | None = None,
) -> np.ndarray:
    """Rows of a prediction table in these classes -> probabilities (N, K) of each image's face.

    `paths`: the images of the set, relative to `root`. A row's source fits when it ends in the path. Of several
    faces the one that overlaps the set's box (N, 4) most answers, or the largest where there is no box. Images
    without a row or without a face get zeros; raises `InputError` where no row fits at all.
    """
    faces: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["face"] is not None:
            faces.setdefault(_plain(row["source"]), []).append(row)
    from_filenames: dict[str, list[str]] = {}
    for source in faces:
        from_filenames.setdefault(source.rsplit("/", 1)[-1], []).append(source)
    probabilities = np.zeros((len(paths), len(labels)))
    found = 0
    for i, path in enumerate(paths):
        whole = _plain(f"{root}/{path}")
        fits = [
            source
            for source in from_filenames.get(path.rsplit("/", 1)[-1], [])
            if source in (whole, path) or source.endswith("/" + path)
        ]
        fits = [whole] if whole in fits else fits
        if len(fits) > 1:
            raise InputError(f"the table has {len(fits)} sources that could be {path}: {', '.join(fits[:3])}")
        if fits:
            found += 1
            face = _answering(faces[fits[0]], None if boxes is None else boxes[i])
            if face is not None:
                probabilities[i] = [face[f"p_{label}"] for label in labels]
    if not found:
        raise InputError(
            f"no source of the table ({next(iter(faces), 'no face')}, ...) is an image of the set "
            f"({paths[0] if len(paths) else 'none'}, ...)"
        )
    return probabilities


def check_same(given: Sequence[Predictions]) -> None:
    """Raise `InputError` unless all are answers for the same images in the same classes."""
    for other in given[1:]:
        if given[0].labels != other.labels or given[0].path.tolist() != other.path.tolist():
            raise InputError(
                "the two models did not answer the same images in the same classes; judge both on one set"
            )


def bootstrap_clusters(found: Predictions) -> np.ndarray | None:
    """Who is seen (N,), where the set names people: intervals draw them whole. None: every image alone."""
    return found.subject if found.subject is not None and (found.subject != "").any() else None


def _answering(faces: list[Mapping[str, Any]], box: np.ndarray | None) -> Mapping[str, Any] | None:
    """The face of an image that the label is about."""
    if box is None or not np.isfinite(box).all():
        return min(faces, key=lambda face: face["face"])
    sides = np.array([[face[side] for side in ("left", "top", "right", "bottom")] for face in faces], dtype=float)
    shared = iou(box, sides)
    return faces[int(shared.argmax())] if shared.max() > 0 else None


def _plain(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")
