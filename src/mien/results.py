"""What prediction returns: frozen values. "Not computed" is None, "no faces" is an empty list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from typing import Any

import numpy as np

from mien.arguments import check_fields, checked
from mien.errors import MienError, OptionError, UnknownNameError, refused, shortened
from mien.geometry import Box
from mien.labels import LabelSet
from mien.wording import counted

# Limits of `Quality`, chosen and measured by research/fer/quality_flags.py (docs/concepts/quality.md).
FLAGS = ("small", "off-axis", "blurred", "dark", "flat", "overexposed", "orientation")
FLAG_REASONS = {
    "small": "face too small",
    "off-axis": "turned too far",
    "blurred": "too blurred",
    "dark": "too dark",
    "flat": "too little contrast",
    "overexposed": "overexposed",
    "orientation": "up unclear",
}
SMALL_BELOW_PX = 11.0  # eye_px
OFF_AXIS_ABOVE_DEG = 40.0  # off_axis_deg
BLURRED_BELOW = 0.39  # sharpness
DARK_BELOW = 0.17  # light
FLAT_BELOW = 0.15  # contrast
OVEREXPOSED_ABOVE = 0.15  # clipped
UP_UNKNOWN_BELOW = 0.2  # upright


def percent(probability: float) -> str:
    """ "97%"; never "100%" or "0%", which no network can promise."""
    if probability > 0.994:
        return ">99%"
    return "<1%" if probability < 0.01 else f"{probability:.0%}"


@dataclass(frozen=True, slots=True, repr=False)
class Scores:
    """Probabilities per class; they sum to 1."""

    labels: LabelSet
    values: tuple[float, ...]
    confidence_threshold: float | None = None  # least confidence of a certain prediction; None: not stated

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.labels) != len(self.values):
            raise OptionError(f"{len(self.values)} scores for {len(self.labels)} classes")
        if not all(value.__class__ is float or isinstance(value, Real) for value in self.values):
            raise refused("values", self.values, "a probability per class")

    def __repr__(self) -> str:
        ranked = [f"{label} {percent(value)}" for label, value in self.ranked()[:3]]
        return f"Scores({', '.join(ranked)}{', ...' if len(self.labels) > 3 else ''})"

    @property
    def top(self) -> str:
        """The most probable class."""
        return self.labels[int(np.argmax(self.values))]

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return max(self.values)

    def __getitem__(self, label: str) -> float:
        if not isinstance(label, str) or label not in self.labels:
            raise UnknownNameError("class", label if isinstance(label, str) else shortened(label), self.labels)
        return self.values[self.labels.index(label)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def keys(self) -> LabelSet:
        """The classes: `dict(scores)` is the probability of each."""
        return self.labels

    def ranked(self) -> list[tuple[str, float]]:
        """Classes with probabilities, most probable first."""
        order = np.argsort(-np.asarray(self.values), kind="stable")
        return [(self.labels[i], self.values[i]) for i in order]

    def to_dict(self) -> dict[str, float]:
        """Class name to probability, in the order of the label set."""
        return {str(label): value for label, value in zip(self.labels, self.values, strict=True)}


@dataclass(frozen=True, slots=True, repr=False)
class Pose:
    """Head rotation in degrees; (0, 0, 0) looks straight into the camera.

    yaw: positive when the head turns towards the right edge of the image. pitch: positive when it looks up. roll:
    positive when it leans clockwise as seen in the image.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        return f"Pose(yaw_deg={self.yaw_deg:.1f}, pitch_deg={self.pitch_deg:.1f}, roll_deg={self.roll_deg:.1f})"


@dataclass(frozen=True, slots=True, repr=False)
class Quality:
    """How well a face can be seen, whatever its expression; measured by `mien.faces.quality`."""

    eye_px: float  # between the eye centres, in pixels of the image; an off-axis head's as if seen from the front
    off_axis_deg: float  # between the direction of the nose and that of the camera
    sharpness: float  # 0 (nothing but blur) .. 1
    light: float  # luminance 0..1 that a twentieth of the face exceeds
    contrast: float  # from the luminance that a twentieth of the face stays below up to `light`
    clipped: float  # share of the face that is white without detail, 0..1
    upright: float = 1.0  # how clearly this way up is right, -1..1: mien.faces.upright

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        return f"Quality({', '.join(f'{name}={value:.2f}' for name, value in asdict(self).items())})"

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong with it: words of `FLAGS`, none for a face that can be seen well."""
        exceeded = {
            "small": self.eye_px < SMALL_BELOW_PX,
            "off-axis": self.off_axis_deg > OFF_AXIS_ABOVE_DEG,
            "blurred": self.sharpness < BLURRED_BELOW,
            "dark": self.light < DARK_BELOW,
            "flat": self.contrast < FLAT_BELOW,
            "overexposed": self.clipped > OVEREXPOSED_ABOVE,
            "orientation": self.upright < UP_UNKNOWN_BELOW,
        }
        return tuple(flag for flag in FLAGS if exceeded[flag])

    def to_dict(self) -> dict[str, Any]:
        """The measures, and the flags that follow from them."""
        return asdict(self) | {"flags": list(self.flags)}

    @classmethod
    @checked
    def from_dict(cls, values: Mapping[str, Any]) -> Quality:
        """The quality that `to_dict` wrote, of this version or an earlier; its flags follow anew."""
        _check_keys(values, (measure.name for measure in fields(cls) if measure.default is MISSING), "Quality")
        return cls(**{measure.name: values[measure.name] for measure in fields(cls) if measure.name in values})


@dataclass(frozen=True, slots=True, repr=False)
class Face:
    """One face of an image, in pixels of the upright image."""

    box: Box
    detection: float | None = None  # confidence of the detector, 0..1; None: it was not detected but given
    landmarks: tuple[tuple[float, float], ...] | None = None  # 68 (x, y), 300-W order
    pose: Pose | None = None
    quality: Quality | None = None
    expression: Scores | None = None
    track: int | None = None  # number of the person's track in a video, from 0
    smoothed: Scores | None = None  # the expression over the track: mien.tracking.smoothing
    scores_frame: int | None = None  # of a video: the frame whose expression and quality these are

    def __post_init__(self) -> None:
        check_fields(self)
        points = self.landmarks or ()
        tuples = set(map(type, points)) <= {tuple} or all(isinstance(point, tuple) for point in points)
        if not tuples or not set(map(len, points)) <= {2}:
            raise refused("landmarks", self.landmarks, "a tuple of points (x, y)")

    def __repr__(self) -> str:
        scores, certain = self.expression, "" if self.certain is None else f", certain={self.certain}"
        expression = (
            "" if scores is None else f"{str(scores.top)!r}, confidence={percent(scores.confidence)}{certain}, "
        )
        flags = f", flags={' '.join(self.quality.flags)!r}" if self.quality and self.quality.flags else ""
        track = "" if self.track is None else f"track={self.track}, "
        return f"Face({track}{expression}box={self.box}{flags})"

    @property
    def certain(self) -> bool | None:
        """Whether the prediction may be used as it is: confident enough, on a face without flags.

        None where no confidence threshold is stated; docs/concepts/quality.md measures what it is worth.
        """
        if self.expression is None or self.expression.confidence_threshold is None:
            return None
        flagged = self.quality is not None and self.quality.flags != ()
        return self.expression.confidence >= self.expression.confidence_threshold and not flagged

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` undoes it."""
        box, pose, quality, scores = self.box, self.pose, self.quality, self.expression
        return {
            "box": [box.left, box.top, box.right, box.bottom],
            "detection": self.detection,
            "landmarks": None if self.landmarks is None else [list(point) for point in self.landmarks],
            "pose": None if pose is None else asdict(pose),
            "quality": None if quality is None else quality.to_dict(),
            "expression": None if scores is None else scores.to_dict(),
            "certain": self.certain,
            "confidence_threshold": None if scores is None else scores.confidence_threshold,
            "track": self.track,
            "smoothed": None if self.smoothed is None else self.smoothed.to_dict(),
            "scores_frame": self.scores_frame,
        }

    @classmethod
    @checked
    def from_dict(cls, values: Mapping[str, Any]) -> Face:
        """The face that `to_dict` wrote, of this version or of one before there was `quality` or `track`."""
        _check_keys(values, ("box", "detection", "landmarks", "pose", "expression"), "Face")
        threshold = values.get("confidence_threshold")

        def read(name: str, make: Callable[[Any], Any], wanted: str) -> Any:
            try:
                return None if values.get(name) is None else make(values[name])
            except MienError:
                raise
            except (TypeError, ValueError, AttributeError):
                raise refused(name, values[name], wanted) from None

        def scores(given: Mapping[str, float]) -> Scores:
            return Scores(LabelSet(given), tuple(given.values()), threshold)

        return cls(
            box=read("box", lambda sides: Box(*sides), "left, top, right and bottom"),
            detection=values["detection"],
            landmarks=read("landmarks", lambda points: tuple((x, y) for x, y in points), "points (x, y)"),
            pose=read("pose", lambda angles: Pose(**angles), "what Face.to_dict returned"),
            quality=read("quality", Quality.from_dict, "what Quality.to_dict returned"),
            expression=read("expression", scores, "a probability per class"),
            track=values.get("track"),
            smoothed=read("smoothed", scores, "a probability per class"),
            scores_frame=values.get("scores_frame"),
        )


@dataclass(frozen=True, slots=True, repr=False)
class ImageResult:
    """The faces of one image, largest first, or the `error` why it could not be read."""

    source: str
    faces: tuple[Face, ...] = ()
    error: str | None = None
    frames: int = 1  # frames or pages of the file, of which the first was read

    def __post_init__(self) -> None:
        check_fields(self)

    def __repr__(self) -> str:
        count = counted(len(self.faces), "face")
        return f"ImageResult({self.source!r}, {count if self.error is None else f'error={self.error!r}'})"


@dataclass(frozen=True, slots=True, repr=False)
class VideoFrame(ImageResult):
    """The faces of one frame, largest first, or the `error` why no frame could be read after the one before.

    `frame`: its number in the video, from 0. `time_s`: its presentation time, as a player shows it. Both are None
    where `error` is not. `image`: (H, W, 3) uint8 RGB where it was wanted.
    """

    frame: int | None = None
    time_s: float | None = None
    image: np.ndarray | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        count = counted(len(self.faces), "face")
        if self.error is not None or self.time_s is None:
            return f"VideoFrame({self.source!r}, error={self.error!r})"
        return f"VideoFrame({self.source!r}, frame={self.frame}, time_s={self.time_s:.3f}, {count})"


def _check_keys(values: Mapping[str, Any], wanted: Iterable[str], kind: str) -> None:
    if absent := [key for key in wanted if key not in values]:
        raise OptionError(f"values lacks {', '.join(absent)}; give what {kind}.to_dict returned")


def reasons(face: Face) -> list[str]:
    """Why a prediction is not to be used as it is, in words: quality problems, or else its low confidence."""
    flags = face.quality.flags if face.quality is not None else ()
    words = [FLAG_REASONS[flag] for flag in flags]
    threshold = face.expression.confidence_threshold if face.expression is not None else None
    if face.certain is False and not words and threshold is not None:
        words = [f"below {100 * threshold:g}%"]
    return words
