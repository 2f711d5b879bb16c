"""Faces at any roll: which way is up in each, and its landmarks that way up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mien.faces import Detection, Landmarker
from mien.faces.upright import UprightMeasure
from mien.geometry import Box, invert, iou, quarter_turn, transform, transform_box
from mien.results import UP_UNKNOWN_BELOW

Detections = Callable[[np.ndarray], Iterable[Detection]]

SAME_FACE_IOU = 0.3
DOUBTFUL_BELOW = 0.5  # margin: the quarter turns are tried
LEAST_GAIN = 0.1  # of margin by a quarter turn; 45 degrees lie between two that are equally right


@dataclass(frozen=True, eq=False)
class LocatedFace:
    """A face that is upright in `np.rot90(image, turns)`, but for a roll of less than about 90 degrees."""

    detection: Detection  # its box in image pixels
    turns: int
    points: np.ndarray  # landmarks (68, 2) in the rotated image
    landmarks: np.ndarray  # the same in the image
    margin: float  # `UprightMeasure`

    @property
    def known(self) -> bool:
        """Whether up is where the landmarks say."""
        return self.margin >= UP_UNKNOWN_BELOW


class AnyRoll:
    """Locates faces the way up in which the detector knows them best; upright ones cost one `UprightMeasure`."""

    def __init__(self, landmarker: Landmarker, measure: UprightMeasure) -> None:
        self.landmarker, self.measure = landmarker, measure

    def detect(self, image: np.ndarray, detections_in: Detections) -> list[LocatedFace]:
        """The faces of an image (H, W, 3) uint8, largest first.

        Where no face has a known up, the image is searched at the three other quarter turns too; of these only
        faces whose up is known count.
        """
        faces = self.locate(image, list(detections_in(image)))
        if not any(face.known for face in faces):
            added = self._detect_rotated(image, detections_in)
            faces = added + [face for face in faces if not _overlaps(face, added)]
        return sorted(faces, key=lambda face: -face.detection.box.area)

    def locate(self, image: np.ndarray, detections: Sequence[Detection]) -> list[LocatedFace]:
        """The face in each box, in this order: rotated where that way up is clearly better."""
        faces = self._at(image, detections, 0)
        doubtful = [i for i, face in enumerate(faces) if face.margin < DOUBTFUL_BELOW]
        if doubtful:
            others = [self._at(image, [detections[i] for i in doubtful], turns) for turns in (1, 2, 3)]
            for i, *rotated in zip(doubtful, *others, strict=True):
                best = max(rotated, key=lambda face: face.margin)
                if best.known and best.margin > faces[i].margin + LEAST_GAIN:
                    faces[i] = best
        return faces

    def _detect_rotated(self, image: np.ndarray, detections_in: Detections) -> list[LocatedFace]:
        height, width = image.shape[:2]
        faces: list[LocatedFace] = []
        for turns in (1, 2, 3):
            back = invert(quarter_turn(turns, width, height))
            detections = [
                Detection(transform_box(back, face.box), face.score)
                for face in detections_in(np.ascontiguousarray(np.rot90(image, turns)))
            ]
            faces += [face for face in self._at(image, detections, turns) if face.known]
        kept: list[LocatedFace] = []
        for face in sorted(faces, key=lambda face: -face.margin):
            if not _overlaps(face, kept):
                kept.append(face)
        return kept

    def _at(self, image: np.ndarray, detections: Sequence[Detection], turns: int) -> list[LocatedFace]:
        """The faces taken to be upright in the rotated image."""
        if not detections:
            return []
        matrix = quarter_turn(turns, image.shape[1], image.shape[0])
        rotated = np.ascontiguousarray(np.rot90(image, turns))
        boxes = [transform_box(matrix, face.box) if turns else face.box for face in detections]
        points = self.landmarker.locate(rotated, boxes)
        landmarks = transform(invert(matrix), points) if turns else points
        faces = zip(detections, points, landmarks, self.measure.margins(rotated, boxes, points), strict=True)
        return [LocatedFace(face, turns, inside, outside, float(margin)) for face, inside, outside, margin in faces]


def _overlaps(face: LocatedFace, others: Sequence[LocatedFace]) -> bool:
    corners = np.array([_corners(other.detection.box) for other in others]).reshape(-1, 4)
    return bool((iou(np.array(_corners(face.detection.box)), corners) > SAME_FACE_IOU).any())


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom
