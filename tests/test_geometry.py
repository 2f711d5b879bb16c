from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.geometry import (
    FLIP_68,
    Box,
    box_onto_square,
    five_points,
    invert,
    iou,
    nms,
    similarity,
    transform,
)

numbers = st.floats(-500, 500)


def test_growing_keeps_the_centre() -> None:
    assert Box(100, 100, 200, 200).grown(2.0) == Box(50, 50, 250, 250)


def test_squaring_takes_the_longer_side() -> None:
    assert Box(0, 0, 10, 20).squared() == Box(-5, 0, 15, 20)


@given(numbers, numbers, st.floats(1, 400), st.floats(1, 400), st.floats(0.2, 4))
def test_grown_then_clipped_boxes_stay_in_the_image(
    left: float, top: float, width: float, height: float, by: float
) -> None:
    box = Box(left, top, left + width, top + height).grown(by).clipped(640, 480)
    assert 0 <= box.left <= box.right <= 640
    assert 0 <= box.top <= box.bottom <= 480


@given(st.floats(0.1, 10), st.floats(-3.1, 3.1), numbers, numbers)
def test_a_similarity_is_found_again(scale: float, turn: float, x: float, y: float) -> None:
    points = np.array([[0, 0], [10, 0], [3, 7], [-4, 5]], dtype=float)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    wanted = np.array([[a, -b, x], [b, a, y]])
    np.testing.assert_allclose(
        similarity(points, transform(wanted, points)), wanted, atol=1e-8 * (1 + abs(x) + abs(y))
    )


def test_a_flipped_face_is_not_unflipped() -> None:
    points = np.array([[0.0, 0], [10, 0], [3, 7]])
    matrix = similarity(points, points * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) > 0


def test_one_point_has_no_similarity() -> None:
    with pytest.raises(ValueError, match="two different points"):
        similarity(np.ones((3, 2)), np.zeros((3, 2)))


def test_inverting_undoes() -> None:
    matrix = np.array([[0.5, -0.2, 30.0], [0.2, 0.5, -8.0]])
    points = np.random.default_rng(0).random((5, 2)) * 100
    np.testing.assert_allclose(transform(invert(matrix), transform(matrix, points)), points)


def test_a_box_lands_on_its_square() -> None:
    matrix = box_onto_square(Box(10, 20, 30, 60), 80)  # a square of 40 around (20, 40)
    np.testing.assert_allclose(transform(matrix, np.array([[0, 20], [40, 60.0]])), [[0, 0], [80, 80]])


def test_overlap_by_hand() -> None:
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30.0]])
    np.testing.assert_allclose(iou(others[0], others), [1, 50 / 150, 0])


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60.0]])
    assert nms(boxes, np.array([0.6, 0.9, 0.7]), iou_threshold=0.3).tolist() == [1, 2]
    assert nms(np.zeros((0, 4)), np.zeros(0), iou_threshold=0.3).tolist() == []


def test_flipping_landmarks_twice_changes_nothing() -> None:
    flip = np.array(FLIP_68)
    assert flip[flip].tolist() == list(range(68))


def test_five_points_follow_the_300w_order() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (-10, -5), (10, -5)
    points[30], points[48], points[54] = (0, 3), (-7, 9), (7, 9)
    np.testing.assert_array_equal(five_points(points), [[-10, -5], [10, -5], [0, 3], [-7, 9], [7, 9]])
