"""Which detected face an annotation is about: one rule for evaluation, prediction tables and prepared data."""

from __future__ import annotations

import numpy as np

from mien.geometry import iou

MIN_IOU = 0.2  # of a detection with the annotated box; docs/decisions/0011-annotated-face.md


def annotated_face(annotated: np.ndarray | None, detected: np.ndarray) -> int | None:
    """Index of the detected box (N, 4) with the highest IoU with the annotated box (4,), of at least MIN_IOU.

    An annotation without a box (None, or NaN in it) is about the largest face, which detectors list first. None
    where no face fits.
    """
    if not len(detected):
        return None
    if annotated is None or not np.isfinite(annotated).all():
        return 0
    overlaps = iou(annotated, detected)
    best = int(overlaps.argmax())
    return best if overlaps[best] >= MIN_IOU else None
