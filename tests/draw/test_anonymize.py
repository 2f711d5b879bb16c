"""What is left of a face is too little to undo."""

from __future__ import annotations

import numpy as np
import pytest

from mien.draw.anonymize import CELLS, METHODS, anonymize
from mien.errors import UnknownNameError
from mien.geometry import Box

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (200, 240, 3)).astype(np.uint8)
BOX = Box(60, 50, 140, 130)
COVERED = np.s_[34:146, 44:156]  # BOX grown


def test_few_colours_are_left() -> None:
    covered = anonymize(IMAGE, [BOX])[COVERED].reshape(-1, 3)
    assert len(np.unique(covered, axis=0)) <= CELLS**2
    assert (np.unique(covered) % 17 == 0).all()  # 16 levels


@pytest.mark.parametrize("method", METHODS)
def test_what_the_cells_have_in_common_hides_who_it_is(method: str) -> None:
    """Two faces with the same means in each cell become the same."""
    other = IMAGE.copy()
    height = (146 - 34) / CELLS
    for row in range(CELLS):
        top, bottom = 34 + int(np.ceil(row * height)), 34 + int((row + 1) * height)
        other[top:bottom, 44:156] = other[top:bottom, 44:156][::-1]
    assert (other != IMAGE).any()
    np.testing.assert_array_equal(
        anonymize(other, [BOX], method)[COVERED], anonymize(IMAGE, [BOX], method)[COVERED]
    )


def test_the_rest_of_the_image_stays() -> None:
    changed = (anonymize(IMAGE, [BOX]) != IMAGE).any(axis=-1)
    changed[COVERED] = False
    assert not changed.any()


def test_faces_at_the_edge_and_beyond() -> None:
    for box in (Box(-50, -50, 20, 20), Box(230, 190, 300, 300), Box(500, 500, 600, 600), Box(10, 10, 11, 11)):
        for method in METHODS:
            assert anonymize(IMAGE, [box], method).shape == IMAGE.shape
    with pytest.raises(UnknownNameError):
        anonymize(IMAGE, [BOX], "smear")
