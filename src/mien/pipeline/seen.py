"""A face with all that is measured of it but its expression, which the network predicts for many faces at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.faces.pose import head_pose
from mien.faces.quality import PATCH, face_quality
from mien.pipeline.turns import LocatedFace
from mien.preprocess import Preprocess
from mien.results import Face


@dataclass(frozen=True, eq=False)
class SeenFace:
    """`face` has no expression yet. `crop`: the network's input (S, S, 3) uint8 RGB, for which no image is kept."""

    face: Face
    crop: np.ndarray


def seen_face(image: np.ndarray, located: LocatedFace, inputs: Preprocess, *, detected: bool = True) -> SeenFace:
    """A located face of an image (H, W, 3) uint8 RGB, aligned and measured. `detected`: False: it was given."""
    crop = inputs.crop(np.rot90(image, located.turns), located.points)
    pose = head_pose(located.landmarks)
    same = not located.turns and inputs.template == PATCH.template
    quality = face_quality(image, located.landmarks, pose, crop=crop if same else None)
    face = Face(
        box=located.detection.box,
        detection=located.detection.score if detected else None,
        landmarks=tuple((x, y) for x, y in located.landmarks.tolist()),
        pose=pose,
        quality=replace(quality, upright=located.margin),
    )
    return SeenFace(face, crop)
