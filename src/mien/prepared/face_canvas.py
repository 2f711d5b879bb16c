"""One image of a data set to its canvas: the right face found, its points placed, aligned with surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.errors import OptionError, UnknownNameError
from mien.faces import Detection, Detector, Landmarker
from mien.faces.matching import annotated_face
from mien.faces.pose import head_pose
from mien.geometry import Box, box_array, transform
from mien.media.pixels import is_grey
from mien.pipeline.detectors import DEFAULT_DETECTOR, DETECTION_THRESHOLD, DETECTORS, detector_called
from mien.pipeline.loading import default_landmarker
from mien.preprocess import IMAGE, KINDS, Preprocess, aligned_side, image_square, warp
from mien.weights.manifest import load_manifest

LEAST_SIDE = 0.3  # of a crop's shorter side: a smaller detection is not the face that the crop shows


@dataclass(frozen=True, kw_only=True)
class CanvasSettings:
    """Everything that decides what a canvas looks like.

    `detect`: the face must be found in a scene; otherwise each image is one face.
    """

    detect: bool
    detector: str = DEFAULT_DETECTOR  # key of `mien.pipeline.detectors.DETECTORS`
    canvas_px: int = 192
    template: str = "face"  # one of `mien.preprocess.KINDS`; BOX: upright, as turned faces want it

    def __post_init__(self) -> None:
        if self.canvas_px % 2 or not 48 <= self.canvas_px <= 1024:
            raise OptionError(f"canvas_px (--size) is {self.canvas_px}; it must be an even number from 48 to 1024")
        if self.template not in KINDS:
            raise UnknownNameError("template", self.template, KINDS)
        if self.detector not in DETECTORS:
            raise UnknownNameError("detector", self.detector, DETECTORS)

    @property
    def aligned_px(self) -> int:
        """Side of the aligned face in the middle of the canvas."""
        return aligned_side(self.canvas_px, self.template)

    def describe(self) -> dict[str, Any]:
        """As plain values, with the networks that find faces and points."""
        return {
            "detect": self.detect,
            "canvas_px": self.canvas_px,
            "aligned_px": self.aligned_px,
            "template": self.template,
            "detector": self.detector,
            "threshold": DETECTION_THRESHOLD,
            "landmarks": load_manifest("landmarks68").files,
        }


@dataclass(frozen=True, slots=True)
class FaceCanvas:
    """One face on its canvas."""

    canvas: np.ndarray  # (S, S, 3) uint8 RGB, or (S, S, 1) where the image is grey
    landmarks: np.ndarray  # (68, 2) float32 in canvas pixels
    detection: float  # 0..1; NaN where no face was found, or none that the image is about
    pose: tuple[float, float, float]  # yaw, pitch, roll in degrees of the face on the canvas
    aspect: float = 1.0  # width / height of what is stretched to the canvas: 1 where the face is aligned
    rejected: str = ""  # why none of the faces that were found is the one that the image is about


class CanvasMaker:
    """Makes canvases. One per process; `detector` and `landmarker` are those of prediction unless given."""

    def __init__(
        self, settings: CanvasSettings, *, detector: Detector | None = None, landmarker: Landmarker | None = None
    ) -> None:
        self.settings = settings
        self.detector = detector or detector_called(settings.detector, threads=1)
        self.landmarker = landmarker or default_landmarker(threads=1)
        self._aligned = Preprocess(size_px=settings.aligned_px, template=settings.template)

    def make(self, image: np.ndarray, stated: Box | None = None, points: np.ndarray | None = None) -> FaceCanvas:
        """Image (H, W, 3) uint8 RGB, and the face's box and 68 points (68, 2) if the set states them.

        Stated points are taken as they are. Where no face is found, the stated box is taken for it, or else
        the whole image.
        """
        height, width = image.shape[:2]
        face, rejected = self._face(image, stated)
        if points is None:
            box = face.box if face else stated or Box(0, 0, width, height)
            points = self.landmarker.locate(image, [box])[0]
        canvas, matrix = self._framed(image, stated, points)
        landmarks = transform(matrix, points)
        return FaceCanvas(
            canvas=canvas[..., :1] if is_grey(image) else canvas,
            landmarks=landmarks.astype(np.float32),
            detection=face.score if face else float("nan"),
            pose=_pose(landmarks),
            aspect=float(matrix[1, 1] / matrix[0, 0]) if self.settings.template == IMAGE else 1.0,
            rejected=rejected,
        )

    def _framed(self, image: np.ndarray, stated: Box | None, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The canvas (S, S, 3) uint8, and the matrix (2, 3) from image pixels onto it."""
        side = self.settings.canvas_px
        if self.settings.template == IMAGE:
            return image_square(image, None if stated is None else box_array([stated])[0], side)
        matrix = self._aligned.matrix(points)
        matrix[:, 2] += (side - self.settings.aligned_px) / 2
        return warp(image, matrix, side), matrix

    def _face(self, image: np.ndarray, stated: Box | None) -> tuple[Detection | None, str]:
        """The face that the image is about; where there is none among those found, why."""
        detections = self.detector.detect(image)
        height, width = image.shape[:2]
        if stated is not None:
            face = _fitting(detections, stated)
            return face, "a face was detected, but not in the set's own box" if detections and not face else ""
        if not self.settings.detect:
            everywhere = [face.box for face in detections]
            detections = [face for face in detections if _fills(face.box, width, height)]
            if everywhere and not detections:
                return None, _why_rejected(everywhere, width, height)
        return max(detections, key=lambda face: _weight(face, width, height), default=None), ""


def _fitting(detections: list[Detection], stated: Box) -> Detection | None:
    """The detection that the stated box is about, if any is."""
    best = annotated_face(box_array([stated])[0], box_array(face.box for face in detections))
    return None if best is None else detections[best]


def _fills(box: Box, width: int, height: int) -> bool:
    """Whether a detection may be the face that a crop shows: large enough, and over the crop's middle."""
    x, y = width / 2, height / 2
    return _is_large(box, width, height) and box.left <= x <= box.right and box.top <= y <= box.bottom


def _is_large(box: Box, width: int, height: int) -> bool:
    return max(box.width, box.height) >= LEAST_SIDE * min(width, height)


def _why_rejected(boxes: list[Box], width: int, height: int) -> str:
    if any(_is_large(box, width, height) for box in boxes):
        return "a face was detected, but not over the middle of the crop"
    side = max(max(box.width, box.height) for box in boxes)
    return f"a face was detected, but too small for a crop: {side:.0f} px in {width} x {height}"


def _weight(face: Detection, width: int, height: int) -> float:
    """Large, sure and central: area x score x nearness to the middle (1 there, 0 in a corner)."""
    x, y = face.box.centre
    away = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    return face.box.area * face.score * max(0.0, 1.0 - float(away))


def _pose(landmarks: np.ndarray) -> tuple[float, float, float]:
    try:
        pose = head_pose(landmarks)
    except ValueError:
        return (float("nan"),) * 3
    return pose.yaw_deg, pose.pitch_deg, pose.roll_deg
