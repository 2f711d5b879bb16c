"""Faces of an anonymised video are covered in every frame near a detection."""

from __future__ import annotations

import numpy as np
import pytest

from mien.draw.video_cover import GAP_S, HOLD_S, VideoCover
from mien.geometry import Box

FPS = 20
FRAMES = (np.arange(200) / FPS).tolist()  # ten seconds


def cover(seconds: list[float], lefts: list[float], tracks: list[int] | None = None) -> VideoCover:
    """Of faces of 40 pixels at these times, in track 0."""
    boxes = np.array([[left, 10, left + 40, 50] for left in lefts], dtype=float).reshape(-1, 4)
    numbers = np.zeros(len(seconds), dtype=int) if tracks is None else np.array(tracks)
    return VideoCover(FRAMES, np.array(seconds), numbers, boxes)


def test_detected_faces_are_covered_as_they_are() -> None:
    assert cover([1.0, 1.05], [0, 4]).boxes(1.05) == [Box(4, 10, 44, 50)]
    assert cover([], []).boxes(1.0) == []


def test_a_face_that_is_lost_between_is_covered_where_it_must_have_been() -> None:
    (box,) = cover([1.0, 2.0], [0, 100]).boxes(1.5)
    assert box.centre == (70, 30)
    assert box.width == pytest.approx(60), "larger, as it may have moved otherwise"
    (near,) = cover([1.0, 2.0], [0, 100]).boxes(1.05)
    assert near.width == pytest.approx(42)


def test_a_face_is_covered_before_its_first_and_after_its_last_detection() -> None:
    seen = cover([3.0], [20])
    for away_s in (-HOLD_S, -0.1, 0.1, HOLD_S):
        (box,) = seen.boxes(3.0 + away_s)
        assert box.centre == (40, 30)
        assert box.width == pytest.approx(40 * (1 + abs(away_s)))
    assert seen.boxes(3.0 + HOLD_S + 0.05) == []
    assert seen.boxes(3.0 - HOLD_S - 0.05) == []


def test_of_a_long_absence_only_the_ends_are_covered() -> None:
    gone = cover([1.0, 1.0 + GAP_S + 1], [0, 0])
    assert len(gone.boxes(1.3)) == len(gone.boxes(1.0 + GAP_S + 0.7)) == 1
    assert gone.boxes(2.5) == []


def test_each_track_and_faces_without_one_are_covered() -> None:
    several = cover([1.0, 1.0, 1.0, 1.2], [0, 100, 200, 0], [0, 1, -1, 0])
    assert len(several.boxes(1.0)) == 3
    assert [box.left for box in several.boxes(1.1)] == pytest.approx([-2, 98])
    assert len(several.boxes(1.2)) == 2


def test_frames_far_apart_still_hold_a_face_over_the_next_two() -> None:
    sparse = VideoCover([0.0, 2.0, 4.0, 6.0, 8.0], np.array([2.0]), np.array([0]), np.array([[0, 0, 40.0, 40.0]]))
    assert [len(sparse.boxes(time_s)) for time_s in (0.0, 2.0, 4.0, 6.0, 8.0)] == [1, 1, 1, 1, 0]
