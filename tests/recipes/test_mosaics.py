"""Mosaics of faces: the truth goes along."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def mosaics(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(RECIPES)
    return import_module("mosaics")


@pytest.fixture
def maker(mosaics: Any) -> Any:
    """A white face with five black points on grey."""
    picture = np.full((100, 100, 3), 128, np.uint8)
    picture[20:80, 25:75] = 255
    points = np.array([[38, 40], [62, 40], [50, 52], [40, 65], [60, 65]], float)
    for x, y in points.astype(int):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 0
    source = mosaics.Source(picture[None], np.array([[25, 20, 75, 80]], float), points[None])
    return mosaics.MosaicMaker([source], [np.zeros((300, 300, 3), np.uint8)], 256)


def test_the_same_generator_gives_the_same_mosaic(maker: Any) -> None:
    first, again = (maker.make(np.random.default_rng(3), steep=True) for _ in range(2))
    np.testing.assert_array_equal(first.picture, again.picture)
    np.testing.assert_array_equal(first.boxes, again.boxes)


@pytest.mark.parametrize("steep", [False, True])
def test_points_lie_in_their_boxes_and_steep_heads_lean(maker: Any, steep: bool) -> None:
    turns = []
    for seed in range(12):
        mosaic = maker.make(np.random.default_rng(seed), steep=steep)
        for box, points in zip(mosaic.boxes, mosaic.points, strict=True):
            assert (points > box[:2]).all()
            assert (points < box[2:]).all()
            across = points[1] - points[0]
            turns.append(abs(np.rad2deg(np.arctan2(across[1], across[0]))))
            assert not steep or np.sqrt((box[2:] - box[:2]).prod()) > 20
    assert max(turns) > 55 if steep else max(turns) < 46


def test_a_worse_picture_has_the_same_faces_in_other_pixels(mosaics: Any, maker: Any) -> None:
    mosaic = maker.make(np.random.default_rng(0))
    before = mosaic.boxes.copy(), mosaic.picture.copy()
    changes = [
        np.abs(mosaics.harder(mosaic, np.random.default_rng(seed)).astype(int) - mosaic.picture).mean()
        for seed in range(8)
    ]
    assert max(changes) > 5
    np.testing.assert_array_equal(mosaic.boxes, before[0])
    np.testing.assert_array_equal(mosaic.picture, before[1])


def test_glasses_cover_the_eyes(mosaics: Any) -> None:
    image = mosaics.Image.new("RGB", (100, 100), (255, 255, 255))

    class Glasses:
        def random(self) -> float:
            return 0.0

        def integers(self, low: int, high: int, count: int) -> np.ndarray:
            return np.zeros(count, int)

        def uniform(self, low: float, high: float) -> float:
            return (low + high) / 2

    five = np.array([[35, 40], [65, 40], [50, 55], [40, 70], [60, 70]], float)
    mosaics.cover(mosaics.ImageDraw.Draw(image), np.array([20, 15, 80, 90.0]), five, Glasses())
    pixels = np.asarray(image)
    assert (pixels[40, [35, 65]] == 0).all()
    assert (pixels[[70, 90], 50] == 255).all()
