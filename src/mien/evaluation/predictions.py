"""Labels and predictions of the same images, in the same classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import InputError
from mien.faces.matching import annotated_face
from mien.geometry import SIDES
from mien.labels import LabelSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One row per labelled image. A column that the set does not have is None; a missing value is ""."""

    labels: LabelSet
    truth: np.ndarray  # (N,) index into labels
    probabilities: np.ndarray  # (N, K); a row of zeros: no prediction
    path: np.ndarray  # (N,) str
    row: np.ndarray  # (N,) int: of the samples that were evaluated
    subject: np.ndarray | None = None  # (N,) str
    group: np.ndarray | None = None  # (N,) str: of one video or one shot
    pose: np.ndarray | None = None  # (N,) str: name of the pose class
    notes: tuple[str, ...] = ()  # what was excluded or restricted

    def __len__(self) -> int:
        return len(self.truth)

    def __repr__(self) -> str:
        return f"Predictions({len(self)} images, {len(self.labels)} classes)"

    @property
    def resampled(self) -> str:
        """What intervals resample whole: "subjects" where the set names them, else "groups", else "images"."""
        columns = {"subjects": self.subject, "groups": self.group}
        return next((name for name, of in columns.items() if of is not None and (of != "").any()), "images")

    @property
    def clusters(self) -> np.ndarray | None:
        """The subject or group (N,) of each image, as `resampled` says. None: every image alone."""
        return {"subjects": self.subject, "groups": self.group, "images": None}[self.resampled]

    def take(self, rows: np.ndarray) -> Predictions:
        """Some rows, by index or mask."""
        return replace(
            self,
            truth=self.truth[rows],
            probabilities=self.probabilities[rows],
            path=self.path[rows],
            row=self.row[rows],
            subject=None if self.subject is None else self.subject[rows],
            group=None if self.group is None else self.group[rows],
            pose=None if self.pose is None else self.pose[rows],
        )


def align_labels(probabilities: np.ndarray, labels: LabelSet, samples: Samples) -> Predictions:
    """Probabilities (N, K) in the classes `labels` and the labels of the samples, both in the classes they share.

    Classes are matched by name. Images without a label or of a class that the network lacks are excluded;
    the network's other classes are removed from its probabilities, which are normalised again. `notes` says so.
    Raises `InputError` where fewer than two classes are shared or no image is left.
    """
    shared = LabelSet([label for label in samples.labels if label in labels])
    if len(shared) < 2:
        raise InputError(
            f"the set has the classes {', '.join(samples.labels)}; the predictions {', '.join(labels)}: "
            "fewer than two in common"
        )
    notes = []
    index = np.array([shared.index(label) if label in shared else -2 for label in samples.labels] + [-1])
    truth = index[samples.label]
    if unlabelled := int((truth == -1).sum()):
        notes.append(f"excluded: {unlabelled} without a single label")
    if foreign := int((truth == -2).sum()):
        lacking = ", ".join(label for label in samples.labels if label not in shared)
        notes.append(f"excluded: {foreign} of classes that the network lacks ({lacking})")
    if dropped := [label for label in labels if label not in shared]:
        notes.append(f"predictions are restricted to the classes of the set (without {', '.join(dropped)})")
    if not (truth >= 0).any():
        raise InputError("no image has a label that the network can predict")
    restricted = probabilities[:, [labels.index(label) for label in shared]]
    total = restricted.sum(axis=1, keepdims=True)
    return Predictions(
        labels=shared,
        truth=truth,
        probabilities=restricted / np.where(total > 0, total, 1),
        path=samples.path,
        row=np.arange(len(truth)),
        subject=samples.subject,
        group=samples.group,
        pose=_pose_classes(samples.yaw_deg),
        notes=tuple(notes),
    ).take(truth >= 0)


def _pose_classes(yaw_deg: np.ndarray | None) -> np.ndarray | None:
    """Names of pose classes (N,): the stated yaw to the nearest 15 degrees; "" where it is unknown."""
    if yaw_deg is None:
        return None
    known = np.isfinite(yaw_deg)
    nearest = np.where(known, np.round(np.where(known, yaw_deg, 0) / 15) * 15, 0).astype(int)
    return np.array([f"{angle:+d}" if angle else "0" for angle in nearest], dtype=object) * known


def predictions_from_table(rows: Sequence[Mapping[str, Any]], labels: LabelSet, samples: Samples) -> np.ndarray:
    """Rows of a prediction table in these classes -> probabilities (N, K) of each image's annotated face.

    A row belongs to the image whose path its source ends in. Images without a row or without a face get zeros;
    raises `InputError` where no row belongs to an image.
    """
    faces: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["face"] is not None:
            faces.setdefault(_normal(row["source"]), []).append(row)
    by_name: dict[str, list[str]] = {}
    for name in faces:
        by_name.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    probabilities = np.zeros((len(samples), len(labels)))
    matched = 0
    for i, path in enumerate(map(str, samples.path)):
        source = _source_of(path, by_name, root=str(samples.files))
        if source is None:
            continue
        matched += 1
        detected = sorted(faces[source], key=lambda face: face["face"])  # largest first
        boxes = np.array([[face.get(side) for side in SIDES] for face in detected], dtype=float)
        best = annotated_face(None if samples.box is None else samples.box[i], boxes)
        if best is not None:
            probabilities[i] = [detected[best][f"p_{label}"] for label in labels]
    if not matched:
        raise InputError(
            f"no source of the table ({next(iter(faces), 'no face')}, ...) is an image of the set "
            f"({samples.path[0] if len(samples) else 'none'}, ...)"
        )
    return probabilities


def check_same(given: Sequence[Predictions]) -> None:
    """Raise `InputError` unless all are predictions for the same images in the same classes."""
    for other in given[1:]:
        if given[0].labels != other.labels or given[0].path.tolist() != other.path.tolist():
            raise InputError(
                "the two models do not predict the same images in the same classes; evaluate both on one set"
            )


def _source_of(path: str, by_name: Mapping[str, list[str]], *, root: str) -> str | None:
    """The source of a table that is the image `path` of a set in `root`."""
    full = _normal(f"{root}/{path}")
    fits = [
        source
        for source in by_name.get(path.rsplit("/", 1)[-1], [])
        if source in (full, path) or source.endswith("/" + path)
    ]
    if full in fits:
        return full
    if len(fits) > 1:
        raise InputError(f"the table has {len(fits)} sources that could be {path}: {', '.join(fits[:3])}")
    return fits[0] if fits else None


def _normal(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")
