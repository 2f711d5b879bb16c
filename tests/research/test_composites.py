"""Composites of faces: the labels go along."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from research.yunet_slim import composites
from research.yunet_slim.composites import CompositeMaker, Source


@pytest.fixture
def maker() -> CompositeMaker:
    """A white face with five black points on grey."""
    image = np.full((100, 100, 3), 128, np.uint8)
    image[20:80, 25:75] = 255
    points = np.array([[38, 40], [62, 40], [50, 52], [40, 65], [60, 65]], float)
    for x, y in points.astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 0
    source = Source(image[None], np.array([[25, 20, 75, 80]], float), points[None])
    return CompositeMaker([source], [np.zeros((300, 300, 3), np.uint8)], 256)


def test_the_same_generator_gives_the_same_composite(maker: CompositeMaker) -> None:
    first, again = (maker.make(np.random.default_rng(3), rolled=True) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.boxes, again.boxes)


@pytest.mark.parametrize("rolled", [False, True])
def test_points_lie_in_their_boxes_and_rolled_heads_lean(maker: CompositeMaker, rolled: bool) -> None:
    rolls = []
    for seed in range(12):
        composite = maker.make(np.random.default_rng(seed), rolled=rolled)
        for box, points in zip(composite.boxes, composite.points, strict=True):
            assert (points > box[:2]).all()
            assert (points < box[2:]).all()
            across = points[1] - points[0]
            rolls.append(abs(np.rad2deg(np.arctan2(across[1], across[0]))))
            assert not rolled or np.sqrt((box[2:] - box[:2]).prod()) > 20
    assert max(rolls) > 55 if rolled else max(rolls) < 46


def test_a_corrupted_image_has_the_same_faces_in_other_pixels(maker: CompositeMaker) -> None:
    composite = maker.make(np.random.default_rng(0))
    before = composite.boxes.copy(), composite.image.copy()
    changes = [
        np.abs(composites.corrupt(composite, np.random.default_rng(seed)).astype(int) - composite.image).mean()
        for seed in range(8)
    ]
    assert max(changes) > 5
    np.testing.assert_array_equal(composite.boxes, before[0])
    np.testing.assert_array_equal(composite.image, before[1])


def test_sunglasses_cover_the_eyes() -> None:
    image = Image.new("RGB", (100, 100), (255, 255, 255))

    class Sunglasses:
        def random(self) -> float:
            return 0.0

        def integers(self, low: int, high: int, count: int) -> np.ndarray:
            return np.zeros(count, int)

        def uniform(self, low: float, high: float) -> float:
            return (low + high) / 2

    five = np.array([[35, 40], [65, 40], [50, 55], [40, 70], [60, 70]], float)
    draw = ImageDraw.Draw(image)
    composites.occlude(draw, np.array([20, 15, 80, 90.0]), five, Sunglasses())  # type: ignore[arg-type]
    pixels = np.asarray(image)
    assert (pixels[40, [35, 65]] == 0).all()
    assert (pixels[[70, 90], 50] == 255).all()
