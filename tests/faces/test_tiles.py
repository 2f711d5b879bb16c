from __future__ import annotations

import numpy as np
import pytest

from mien.faces.passes import tiles


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (641, 2000)])
def test_tiles_cover_the_image_and_overlap(size: tuple[int, int]) -> None:
    seen = np.zeros((size[1], size[0]), int)
    for tile in tiles(*size, 640):
        assert tile.width <= 640
        seen[int(tile.top) : int(tile.bottom), int(tile.left) : int(tile.right)] += 1
    assert seen.min() >= 1
