"""How a set frames its faces."""

from __future__ import annotations

import numpy as np
import pytest

from mien.faces.framing import ONE_FRAMING, Framing, moved_corners
from mien.geometry import five_points

FACE = np.random.default_rng(0).uniform(0.3, 0.7, (68, 2))


def measured(landmarks: np.ndarray, detected: np.ndarray | None = None) -> Framing:
    known = np.ones(len(landmarks), dtype=bool) if detected is None else detected
    framing = Framing.of(landmarks, known, 200, title="made-up faces")
    assert framing is not None
    return framing


def test_images_framed_alike_have_their_own_points_and_no_spread() -> None:
    framing = measured(np.stack([FACE * 200] * 5))
    np.testing.assert_allclose(framing.points, five_points(FACE), atol=1e-5)
    assert framing.spread < 1e-4
    assert framing.is_one
    assert "5 faces in 5 images of made-up faces" in framing.describe()
    assert "no one framing" not in framing.describe()


def test_one_image_that_is_framed_otherwise_does_not_move_the_median() -> None:
    framing = measured(np.stack([FACE * 200, FACE * 200, FACE * 20 + 100]))
    np.testing.assert_allclose(framing.points, five_points(FACE), atol=1e-5)


def test_faces_of_all_sizes_are_no_one_framing() -> None:
    scales = np.linspace(0.4, 1.6, 31)[:, None, None]
    framing = measured(((FACE - 0.5) * scales + 0.5) * 200)
    assert framing.spread > ONE_FRAMING
    assert "the set has no one framing" in framing.describe()


def test_only_detected_faces_count_and_without_any_there_is_no_framing() -> None:
    landmarks, detected = np.stack([FACE * 200, np.zeros((68, 2))]), np.array([True, False])
    framing = measured(landmarks, detected)
    assert (framing.faces, framing.images) == (1, 2)
    assert Framing.of(landmarks, np.zeros(2, dtype=bool), 200, title="none") is None


def test_corners_move_as_far_as_a_shift() -> None:
    points = five_points(FACE)
    assert moved_corners(points, points + np.array([0.03, 0.04])) == pytest.approx(0.05)
