from __future__ import annotations

import numpy as np

from mien.faces.matching import MIN_IOU, annotated_face

BOXES = np.array([[0.0, 0, 100, 100], [120, 0, 180, 60]])  # the largest first, as detectors list them


def test_the_detection_with_the_highest_iou_is_the_annotated_face() -> None:
    assert annotated_face(np.array([110.0, 0, 190, 80]), BOXES) == 1
    assert annotated_face(np.array([10.0, 10, 90, 90]), BOXES) == 0


def test_a_neighbour_is_not_taken_for_a_face_that_was_not_detected() -> None:
    inside = 100 * np.sqrt(MIN_IOU)
    assert annotated_face(np.array([0, 0, inside + 0.1, inside + 0.1]), BOXES) == 0
    assert annotated_face(np.array([0, 0, inside - 0.1, inside - 0.1]), BOXES) is None
    assert annotated_face(np.array([300.0, 300, 400, 400]), BOXES) is None


def test_without_a_box_the_largest_face_is_meant() -> None:
    assert annotated_face(None, BOXES) == annotated_face(np.full(4, np.nan), BOXES) == 0
    assert annotated_face(None, np.zeros((0, 4))) is None
