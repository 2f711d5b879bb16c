"""What reading a face gives: frozen values. "Not asked for" is None, "none found" is an empty list."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mien.geometry import Box
from mien.labels import LabelSet

# Limits of `Quality`, chosen and measured by research/default/quality_flags.py (docs/concepts/quality.md).
FLAGS = ("small", "turned", "blurred", "dark", "flat", "overexposed")
SMALL_BELOW_PX = 11.0  # eye_px
TURNED_ABOVE_DEG = 40.0  # off_axis_deg
BLURRED_BELOW = 0.39  # sharpness
DARK_BELOW = 0.17  # light
FLAT_BELOW = 0.15  # contrast
OVEREXPOSED_ABOVE = 0.15  # clipped


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities per class; they sum to 1."""

    labels: LabelSet
    values: tuple[float, ...]
    confidence_threshold: float | None = None  # least confidence of a certain answer; None: nobody stated one

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.values):
            raise ValueError(f"{len(self.values)} scores for {len(self.labels)} classes")

    @property
    def top(self) -> str:
        """The most probable class."""
        return self.labels[int(np.argmax(self.values))]

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return max(self.values)

    def __getitem__(self, label: str) -> float:
        return self.values[self.labels.index(label)]

    def ranked(self) -> list[tuple[str, float]]:
        """Classes with probabilities, most probable first."""
        order = np.argsort(-np.asarray(self.values), kind="stable")
        return [(self.labels[i], self.values[i]) for i in order]

    def to_dict(self) -> dict[str, float]:
        """Class name to probability, in the order of the label set."""
        return {str(label): value for label, value in zip(self.labels, self.values, strict=True)}


@dataclass(frozen=True, slots=True)
class Pose:
    """Head rotation in degrees; (0, 0, 0) passes straight into the camera.

    yaw: positive when the head turns towards the right edge of the image. pitch: positive when it
    passes up. roll: positive when it leans clockwise as seen in the image.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be seen, whatever it shows; measured by `mien.faces.quality`."""

    eye_px: float  # between the eye centres, in pixels of the image; a turned head's as if it looked ahead
    off_axis_deg: float  # between the direction of the nose and that of the camera
    sharpness: float  # 0 (nothing but blur) .. 1
    light: float  # luminance 0..1 that a twentieth of the face exceeds
    contrast: float  # from the luminance that a twentieth of the face stays below up to `light`
    clipped: float  # share of the face that is white without detail, 0..1

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong with it: words of `FLAGS`, none for a face that can be seen well."""
        wrong = {
            "small": self.eye_px < SMALL_BELOW_PX,
            "turned": self.off_axis_deg > TURNED_ABOVE_DEG,
            "blurred": self.sharpness < BLURRED_BELOW,
            "dark": self.light < DARK_BELOW,
            "flat": self.contrast < FLAT_BELOW,
            "overexposed": self.clipped > OVEREXPOSED_ABOVE,
        }
        return tuple(flag for flag in FLAGS if wrong[flag])

    def to_dict(self) -> dict[str, Any]:
        """The measures, and the flags that follow from them."""
        return asdict(self) | {"flags": list(self.flags)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Quality:
        """The quality that `to_dict` wrote; its flags follow anew."""
        return cls(**{measure.name: values[measure.name] for measure in fields(cls)})


@dataclass(frozen=True, slots=True)
class Face:
    """One face of an image, in pixels of the upright image."""

    box: Box
    detection: float | None = None  # detector's confidence 0..1; None: the image was given as a face crop
    landmarks: tuple[tuple[float, float], ...] | None = None  # 68 (x, y), 300-W order
    pose: Pose | None = None
    quality: Quality | None = None
    expression: Scores | None = None

    @property
    def certain(self) -> bool | None:
        """Whether the answer may be used as it is: confident enough, on a face without flags.

        None where no confidence is stated (`Scores.confidence_threshold`); docs/concepts/quality.md has what it is worth.
        """
        if self.expression is None or self.expression.confidence_threshold is None:
            return None
        flagged = self.quality is not None and self.quality.flags != ()
        return self.expression.confidence >= self.expression.confidence_threshold and not flagged

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
            "quality": None if self.quality is None else self.quality.to_dict(),
            "expression": None if self.expression is None else self.expression.to_dict(),
            "certain": self.certain,
            "confidence_threshold": None if self.expression is None else self.expression.confidence_threshold,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Face:
        """The face that `to_dict` wrote, of this version or of one before there was `quality`."""
        points, pose, scores = values["landmarks"], values["pose"], values["expression"]
        quality, confidence_threshold = values.get("quality"), values.get("confidence_threshold")
        return cls(
            box=Box(*values["box"]),
            detection=values["detection"],
            landmarks=None if points is None else tuple((x, y) for x, y in points),
            pose=None if pose is None else Pose(**pose),
            quality=None if quality is None else Quality.from_dict(quality),
            expression=None
            if scores is None
            else Scores(LabelSet(" ".join(scores)), tuple(scores.values()), confidence_threshold),
        )
