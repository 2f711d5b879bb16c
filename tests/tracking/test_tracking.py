"""Tracks keep their people: through motion, crossings, absence and cuts; scores are smoothed as documented."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.geometry import Box
from mien.tracking.cuts import CutDetector
from mien.tracking.smoothing import SIGMA_S, smooth, smooth_at
from mien.tracking.tracker import COASTING_S, Tracker

RED, BLUE, GREEN = (np.eye(108)[i : i + 36].mean(axis=0) * 6 for i in (0, 36, 72))


def box(x: float, y: float = 100.0, side: float = 80.0) -> Box:
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def run(tracker: Tracker, moments: Sequence[tuple[float, list[tuple[Box, np.ndarray]]]]) -> list[list[int]]:
    return [tracker.update(t, [b for b, _ in faces], [c for _, c in faces]) for t, faces in moments]


def test_a_moving_face_is_one_track() -> None:
    numbers = run(Tracker(), [(i / 10, [(box(100 + 60 * i), RED)]) for i in range(10)])
    assert numbers == [[0]] * 10


def test_people_who_cross_keep_their_numbers_in_whatever_order_they_are_detected() -> None:
    tracker, names = Tracker(), []
    for i in range(21):
        faces = [(box(100 + 20 * i), RED, "red"), (box(500 - 20 * i), BLUE, "blue")]
        if 8 <= i <= 12:
            faces = faces[:1]  # one covers the other
        faces = faces[:: 1 if i % 2 else -1]
        numbers = tracker.update(i / 10, [b for b, *_ in faces], [c for _, c, _ in faces])
        names += [(name, number) for (*_, name), number in zip(faces, numbers, strict=True)]
    assert len(set(names)) == 2


def test_a_face_that_returns_has_its_number_and_a_stranger_has_not() -> None:
    tracker = Tracker()
    run(tracker, [(0.0, [(box(100), RED)]), (0.1, [(box(100), RED)])])
    assert tracker.update(5.0, [box(600)], [GREEN]) == [1]
    assert tracker.update(5.1, [box(600), box(120)], [GREEN, RED]) == [1, 0]


def test_after_a_cut_only_a_clear_likeness_keeps_a_number() -> None:
    tracker = Tracker()
    run(tracker, [(0.0, [(box(100), RED)]), (0.1, [(box(100), RED)])])
    assert tracker.update(0.2, [box(100)], [BLUE], cut=True) == [1], "the same position is no likeness"
    assert tracker.update(0.3, [box(300)], [RED], cut=True) == [0]
    twins = Tracker()
    run(twins, [(0.0, [(box(100), RED), (box(400), RED)])])
    assert twins.update(0.1, [box(250)], [RED], cut=True) == [2], "which of the two cannot be known"


def test_a_face_is_not_expected_to_move_on_forever() -> None:
    tracker = Tracker()
    run(tracker, [(0.0, [(box(100), RED)]), (0.1, [(box(140), RED)])])
    assert tracker.update(COASTING_S + 5, [box(2500)], [BLUE]) == [1]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-50, 900), st.floats(5, 300), st.integers(0, 2)), max_size=5), max_size=12
    ),
    st.data(),
)
def test_numbers_are_unique_and_a_restored_tracker_goes_on_alike(
    moments: list[list[tuple[float, float, int]]], data: st.DataObject
) -> None:
    tracker, restored = Tracker(), Tracker()
    stop = data.draw(st.integers(0, len(moments)))
    for i, faces in enumerate(moments):
        if i == stop:
            restored.restore(json.loads(json.dumps(tracker.state())))
        boxes, colours = [box(x, side=side) for x, side, _ in faces], [(RED, BLUE, GREEN)[c] for *_, c in faces]
        numbers = tracker.update(i / 10, boxes, colours, cut=i % 5 == 4)
        assert len(set(numbers)) == len(numbers) == len(faces)
        if i >= stop:
            assert restored.update(i / 10, boxes, colours, cut=i % 5 == 4) == numbers


def test_a_cut_is_where_the_image_changes_and_a_pan_is_none() -> None:
    rng = np.random.default_rng(0)
    wide = np.repeat(np.repeat(rng.integers(0, 256, (12, 60, 3), dtype=np.uint8), 20, axis=0), 20, axis=1)
    other = np.full((240, 320, 3), (180, 30, 60), dtype=np.uint8)
    detector = CutDetector()
    shown = [wide[:, 12 * i : 12 * i + 320] for i in range(20)] + [other] * 5 + [wide[:, :320]] * 3
    cuts = [i for i, image in enumerate(shown) if detector.is_cut(image)]
    assert cuts == [0, 20, 25]


def test_a_restored_cut_detector_goes_on_alike() -> None:
    image, other = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 200, np.uint8)
    detector, again = CutDetector(), CutDetector()
    assert detector.is_cut(image)
    again.restore(json.loads(json.dumps(detector.state())))
    for shown in (image, other, other, image):
        assert detector.is_cut(shown) == again.is_cut(shown)


def test_smoothing_is_the_documented_mean() -> None:
    times, scores = np.array([0.0, 0.1, 0.2, 5.0]), np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=float)
    weights = np.exp(-((np.array([0.1, 0.0, 0.1]) / SIGMA_S) ** 2) / 2)
    smoothed = smooth(times, np.zeros(4), scores)
    assert smoothed[1] == pytest.approx(weights @ scores[:3] / weights.sum())
    assert smoothed[3] == pytest.approx([0, 1]), "nothing lies within the window"
    assert smoothed.sum(axis=1) == pytest.approx(np.ones(4))
    assert smooth_at(0.1, times[:3], scores[:3]) == pytest.approx(smoothed[1])


def test_smoothing_keeps_tracks_apart_and_takes_rows_in_any_order() -> None:
    rng = np.random.default_rng(0)
    times, tracks, scores = rng.uniform(0, 3, 60), rng.integers(0, 3, 60).astype(float), rng.random((60, 4))
    tracks[:5] = np.nan
    smoothed = smooth(times, tracks, scores)
    order = rng.permutation(60)
    assert smooth(times[order], tracks[order], scores[order]) == pytest.approx(smoothed[order])
    assert smoothed[:5] == pytest.approx(scores[:5])
    one = tracks == 1
    assert smoothed[one] == pytest.approx(smooth(times[one], tracks[one], scores[one]))
