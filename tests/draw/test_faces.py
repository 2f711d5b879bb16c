from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mien
from mien.draw.faces import DRAWN, PARTS, annotate
from mien.draw.marks import labels_of
from mien.draw.palette import COLOURS, rgb
from mien.errors import OptionError, UnknownNameError
from mien.geometry import Box
from mien.labels import FERPLUS, Expression
from mien.results import Face, Pose, Quality, Scores, reasons

GROUND = np.full((300, 300, 3), 90, np.uint8)
FACE = Face(Box(60, 80, 220, 240), expression=Scores(FERPLUS, (0.1, 0.6, 0.3, 0, 0, 0, 0, 0)))
COLOUR = rgb(COLOURS[Expression.HAPPINESS])
QUALITY = Quality(eye_px=40, off_axis_deg=0, sharpness=0.1, light=0.5, contrast=0.5, clipped=0)


def along_the_left_side(image: np.ndarray) -> np.ndarray:
    """Whether each pixel of the box's left side has the colour of the class."""
    return (image[90:230, 61] == COLOUR).all(axis=-1)


def test_a_certain_prediction_has_a_complete_box_and_an_uncertain_one_a_dashed_box() -> None:
    for scores in (FACE.expression, replace(FACE.expression, confidence_threshold=0.6)):
        assert along_the_left_side(annotate(GROUND, [replace(FACE, expression=scores)])).all()
    uncertain = replace(FACE, expression=replace(FACE.expression, confidence_threshold=0.61))
    assert 0.3 < along_the_left_side(annotate(GROUND, [uncertain])).mean() < 0.7


def test_an_uncertain_label_carries_the_colour_of_its_box() -> None:
    uncertain = replace(FACE, expression=replace(FACE.expression, confidence_threshold=0.61))
    for label in labels_of(uncertain, (300, 300), bars=True):
        assert label.lines[0].edge == COLOURS[Expression.HAPPINESS]
    above = annotate(GROUND, [uncertain], draw=["labels"])[:80]
    assert (above == COLOUR).all(axis=-1).sum() > 20


def test_the_bar_of_a_class_is_as_long_as_its_probability() -> None:
    image = annotate(
        np.full((900, 900, 3), 90, np.uint8), [replace(FACE, box=Box(200, 400, 600, 800))], draw=["bars"]
    )
    row = (image == rgb(COLOURS[Expression.SURPRISE])).all(axis=-1).sum(axis=1).max()
    width = (image == rgb(COLOURS[Expression.HAPPINESS])).all(axis=-1).sum(axis=1).max()
    assert 0.28 <= row / width <= 0.33


def test_the_image_given_stays_as_it_is() -> None:
    before = GROUND.copy()
    annotate(GROUND, [FACE, replace(FACE, expression=None)], draw=PARTS, anonymize="blur")
    np.testing.assert_array_equal(GROUND, before)


def test_faces_of_any_size_and_position_are_drawn() -> None:
    for box in (Box(-50, -50, 20, 20), Box(290, 290, 400, 400), Box(5, 5, 8, 8), Box(0, 0, 300, 300)):
        for least in (None, 1.0):
            face = Face(box, pose=Pose(0, 0, 0), expression=replace(FACE.expression, confidence_threshold=least))
            for anonymize in (None, "pixelate"):
                assert annotate(GROUND, [face], draw=PARTS, anonymize=anonymize).shape == GROUND.shape


@pytest.mark.parametrize("side", [16, 64, 4000])
def test_text_and_lines_grow_with_the_image(side: int) -> None:
    image = np.full((side, side, 3), 90, np.uint8)
    face = replace(FACE, box=Box(0.3 * side, 0.3 * side, 0.7 * side, 0.7 * side))
    drawn = (annotate(image, [face]) == COLOUR).all(axis=-1)
    middle = drawn[side // 2]  # crosses the two vertical lines of the box
    assert side / 400 <= middle.sum() / 2 <= max(2, side / 100)


def test_parts_are_drawn_as_they_are_named() -> None:
    face = replace(FACE, pose=Pose(20, 0, 0), landmarks=((100.0, 120.0), (130.0, 200.0)))
    assert (annotate(GROUND, [face], draw=[]) == GROUND).all()
    changed = {part: (annotate(GROUND, [face], draw=[part]) != GROUND).any(axis=-1) for part in PARTS}
    assert changed["boxes"][160, 61]
    assert not changed["boxes"][100:230, 80:200].any()
    assert changed["landmarks"][120, 100]
    assert changed["axes"].any()
    assert changed["bars"].sum() > changed["labels"].sum() > 0
    with pytest.raises(UnknownNameError, match="boxes"):
        annotate(GROUND, [face], draw=["boxs"])
    with pytest.raises(OptionError, match="give a list"):
        annotate(GROUND, [face], draw="boxes")


def test_the_reason_is_that_of_the_flags_or_the_confidence() -> None:
    unsure = replace(FACE, expression=replace(FACE.expression, confidence_threshold=0.7))
    assert reasons(FACE) == []
    assert reasons(unsure) == ["below 70%"]
    assert reasons(replace(unsure, quality=QUALITY)) == ["too blurred"]
    plain, flagged = (annotate(GROUND, [face], draw=["labels"]) for face in (FACE, replace(FACE, quality=QUALITY)))
    assert (plain != flagged).any()


def test_the_public_function_takes_what_was_predicted(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    marked = mien.annotate(astronaut, recognizer.predict(astronaut), draw=DRAWN)
    assert marked.shape == astronaut.shape
    assert (marked != astronaut).any()


def test_landmarks_of_a_tiny_face_do_not_hide_it() -> None:
    points = tuple((100.0 + x, 100.0 + y) for x in range(1, 13, 2) for y in range(1, 13, 2))
    tiny = Face(Box(100, 100, 113, 113), landmarks=points)
    changed = (annotate(GROUND, [tiny], draw=["landmarks"]) != GROUND).any(axis=-1)
    assert changed.sum() == len(points)


def test_no_text_is_smaller_than_nine_pixels() -> None:
    for side in (20, 60, 300):
        face = replace(FACE, box=Box(0, 0, side, side), quality=QUALITY)
        for label in labels_of(face, (2 * side, 2 * side), bars=True):
            assert min(label.text_px * line.scale for line in label.lines) >= 8.5
