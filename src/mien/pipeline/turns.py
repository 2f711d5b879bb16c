"""Faces at any roll: which way is up in each, and its landmarks that way up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mien.faces import Detection, Landmarker
from mien.faces.roll import quarters
from mien.faces.upright import UprightMeasure
from mien.geometry import Box, box_array, invert, iou, quarter_turn, transform, transform_box
from mien.results import UP_UNKNOWN_BELOW

Detections = Callable[[np.ndarray], Iterable[Detection]]

SAME_FACE_IOU = 0.3
START_GAIN = 0.3  # of probability over upright, from which the landmarks are first located at a quarter turn
DOUBTFUL_BELOW = 0.3  # margin: the other quarter turns are tried
LEAST_GAIN = 0.1  # of margin by a quarter turn; 45 degrees lie between two that are equally right
SEARCH_PX = 1280  # longer side of the copy in which faces at a quarter turn are looked for


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
    """Locates faces the way up in which they are known best; upright ones cost one run of the roll network."""

    def __init__(self, landmarker: Landmarker, measure: UprightMeasure) -> None:
        self.landmarker, self.measure = landmarker, measure

    def detect(self, image: np.ndarray, detections_in: Detections) -> list[LocatedFace]:
        """The faces of an image (H, W, 3) uint8, largest first.

        Where no face has a known up, the three other quarter turns of the image, reduced to `SEARCH_PX`, are
        searched too, and the image itself at those that show a face; of these only faces whose up is known count.
        """
        faces = self.locate(image, list(detections_in(image)))
        if not any(face.known for face in faces):
            added = self._detect_rotated(image, detections_in)
            faces = added + [face for face in faces if not _overlaps(face, added)]
        return sorted(faces, key=lambda face: -face.detection.box.area)

    def locate(self, image: np.ndarray, detections: Sequence[Detection]) -> list[LocatedFace]:
        """The face in each box, in this order: rotated where that way up is clearly better."""
        rolls = self.measure.rolls(image, [each.box for each in detections])
        first = _first_turns(rolls)
        tried: list[list[LocatedFace]] = [[] for _ in detections]
        for turns in range(4):
            self._try(image, detections, rolls, first == turns, turns, tried)
        doubtful = np.array([faces[0].margin < DOUBTFUL_BELOW for faces in tried], dtype=bool)
        for turns in range(4):
            self._try(image, detections, rolls, doubtful & (first != turns), turns, tried)
        return [_chosen(faces) for faces in tried]

    def locate_boxes(self, image: np.ndarray, boxes: Sequence[Box]) -> list[LocatedFace]:
        """The same of boxes that nobody detected, as certain as a detection can be."""
        return self.locate(image, [Detection(box, 1.0) for box in boxes])

    def locate_at(self, image: np.ndarray, detection: Detection, turns: int) -> LocatedFace:
        """The face in a box, taken to be upright in `np.rot90(image, turns)`."""
        rolls = self.measure.rolls(image, [detection.box])
        (face,) = self._at(image, [detection], rolls, turns)
        return face

    def _detect_rotated(self, image: np.ndarray, detections_in: Detections) -> list[LocatedFace]:
        faces: list[LocatedFace] = []
        copy = _copy_of(image, SEARCH_PX)
        for turns in (1, 2, 3):
            known = self._known_at(copy, detections_in, turns)
            if known and copy is not image:
                known = self._known_at(image, detections_in, turns)
            faces += known
        kept: list[LocatedFace] = []
        for face in sorted(faces, key=lambda face: -face.margin):
            if not _overlaps(face, kept):
                kept.append(face)
        return kept

    def _known_at(self, image: np.ndarray, detections_in: Detections, turns: int) -> list[LocatedFace]:
        """The faces detected in the rotated image that are upright there."""
        back = invert(quarter_turn(turns, image.shape[1], image.shape[0]))
        detections = [
            Detection(transform_box(back, face.box), face.score)
            for face in detections_in(np.ascontiguousarray(np.rot90(image, turns)))
        ]
        rolls = self.measure.rolls(image, [each.box for each in detections])
        return [face for face in self._at(image, detections, rolls, turns) if face.known]

    def _try(
        self, image: np.ndarray, detections: Sequence[Detection], rolls: np.ndarray, wanted: np.ndarray, turns: int,
        tried: list[list[LocatedFace]],
    ) -> None:  # fmt: skip
        """Add the wanted faces (N,), as they are at one quarter turn, to what was tried of each."""
        rows = np.flatnonzero(wanted).tolist()
        for i, face in zip(rows, self._at(image, [detections[i] for i in rows], rolls[rows], turns), strict=True):
            tried[i].append(face)

    def _at(
        self, image: np.ndarray, detections: Sequence[Detection], rolls: np.ndarray, turns: int
    ) -> list[LocatedFace]:
        """The faces taken to be upright in the rotated image. `rolls`: theirs in the image as it is."""
        if not detections:
            return []
        matrix = quarter_turn(turns, image.shape[1], image.shape[0])
        rotated = np.ascontiguousarray(np.rot90(image, turns))
        boxes = [transform_box(matrix, face.box) if turns else face.box for face in detections]
        points = self.landmarker.locate(rotated, boxes)
        landmarks = transform(invert(matrix), points) if turns else points
        margins = self.measure.margins(image, rolls, landmarks).tolist()
        faces = zip(detections, points, landmarks, margins, strict=True)
        return [LocatedFace(face, turns, inside, outside, margin) for face, inside, outside, margin in faces]


def _chosen(tried: Sequence[LocatedFace]) -> LocatedFace:
    """Of one face at the quarter turns that were tried: upright, unless another is known and clearly better."""
    best = max(tried, key=lambda face: face.margin)
    upright = next((face for face in tried if not face.turns), best)
    return best if best.known and best.margin > upright.margin + LEAST_GAIN else upright


def _copy_of(image: np.ndarray, longest_px: int) -> np.ndarray:
    """The image (H, W, 3) with a longer side of at most `longest_px`."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0))


def _first_turns(rolls: np.ndarray) -> np.ndarray:
    """The quarter turn (N,) at which each face is probably upright; in doubt none."""
    mass = quarters(rolls, np.zeros(len(rolls)))
    best = mass.argmax(axis=1)
    return np.where(mass.max(axis=1) > mass[:, 0] + START_GAIN, best, 0)


def _overlaps(face: LocatedFace, others: Sequence[LocatedFace]) -> bool:
    boxes = box_array([face.detection.box, *(other.detection.box for other in others)])
    return bool((iou(boxes[0], boxes[1:]) > SAME_FACE_IOU).any())
