from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.draw.faces import mark_faces
from mien.draw.palette import COLOURS
from mien.geometry import Box
from mien.labels import FERPLUS, Expression
from mien.results import Face, Scores

GROUND = np.full((300, 300, 3), 90, np.uint8)
FACE = Face(Box(60, 80, 220, 240), expression=Scores(FERPLUS, (0.1, 0.6, 0.3, 0, 0, 0, 0, 0)))
COLOUR = tuple(int(COLOURS[Expression.HAPPINESS][i : i + 2], 16) for i in (1, 3, 5))


def along_the_left_side(image: np.ndarray) -> np.ndarray:
    """Whether each pixel of the box's left side has the colour of the class."""
    return (image[90:230, 61] == COLOUR).all(axis=-1)


def test_a_certain_answer_has_a_whole_box_and_an_uncertain_one_a_dashed_box() -> None:
    for scores in (FACE.expression, replace(FACE.expression, confidence_threshold=0.6)):
        assert along_the_left_side(mark_faces(GROUND, [replace(FACE, expression=scores)])).all()
    uncertain = replace(FACE, expression=replace(FACE.expression, confidence_threshold=0.61))
    assert 0.3 < along_the_left_side(mark_faces(GROUND, [uncertain])).mean() < 0.7


def test_the_image_given_stays_as_it_is() -> None:
    before = GROUND.copy()
    mark_faces(GROUND, [FACE, replace(FACE, expression=None)])
    np.testing.assert_array_equal(GROUND, before)


def test_faces_of_any_size_and_place_are_drawn() -> None:
    for box in (Box(-50, -50, 20, 20), Box(290, 290, 400, 400), Box(5, 5, 8, 8), Box(0, 0, 300, 300)):
        for least in (None, 1.0):
            marked = mark_faces(
                GROUND, [Face(box, expression=replace(FACE.expression, confidence_threshold=least))]
            )
            assert marked.shape == GROUND.shape
