"""What reading a face gives: frozen values. "Not asked for" is None, "none found" is an empty list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.geometry import Box
from mien.labels import Expression, LabelSet


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities per class; they sum to 1."""

    labels: LabelSet
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.values):
            raise ValueError(f"{len(self.values)} scores for {len(self.labels)} classes")

    @property
    def top(self) -> Expression:
        """The most probable class."""
        return self.labels[int(np.argmax(self.values))]

    def __getitem__(self, label: str) -> float:
        return self.values[self.labels.index(Expression(label))]

    def ranked(self) -> list[tuple[Expression, float]]:
        """Classes with probabilities, most probable first."""
        order = np.argsort(-np.asarray(self.values), kind="stable")
        return [(self.labels[i], self.values[i]) for i in order]

    def to_dict(self) -> dict[str, float]:
        """Class name to probability, in the order of the label set."""
        return {str(label): value for label, value in zip(self.labels, self.values, strict=True)}


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees; (0, 0, 0) looks straight into the camera.

    yaw: positive when the head turns towards the right edge of the picture. pitch: positive when it
    looks up. roll: positive when it leans clockwise as seen in the picture.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a picture, in pixels of the upright picture."""

    box: Box
    detection: float | None = None  # detector's confidence 0..1; None: the picture was given as a face crop
    landmarks: tuple[tuple[float, float], ...] | None = None  # 68 (x, y), 300-W order
    pose: Pose | None = None
    expression: Scores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` undoes it."""
        return {
            "box": [self.box.left, self.box.top, self.box.right, self.box.bottom],
            "detection": self.detection,
            "landmarks": None if self.landmarks is None else [list(point) for point in self.landmarks],
            "pose": None
            if self.pose is None
            else {
                "yaw_deg": self.pose.yaw_deg,
                "pitch_deg": self.pose.pitch_deg,
                "roll_deg": self.pose.roll_deg,
            },
            "expression": None if self.expression is None else self.expression.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Face:
        """The face that `to_dict` wrote."""
        points, pose, scores = values["landmarks"], values["pose"], values["expression"]
        return cls(
            box=Box(*values["box"]),
            detection=values["detection"],
            landmarks=None if points is None else tuple((x, y) for x, y in points),
            pose=None if pose is None else Pose(**pose),
            expression=None if scores is None else Scores(LabelSet(" ".join(scores)), tuple(scores.values())),
        )
