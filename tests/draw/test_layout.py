"""No label lies over another face or label, whatever the crowd."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mien.draw.layout import MOST_COVERED, MOST_COVERED_BY_MORE, Form, layout_labels
from mien.geometry import Box

SIZE = (400, 300)
FORMS = [Form(90, 60), Form(60, 30), Form(60, 14), Form(30, 12)]


def shared(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    return max(width, 0) * max(min(one.bottom, other.bottom) - max(one.top, other.top), 0)


boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.integers(-20, 390), st.integers(-20, 290), st.integers(5, 150), st.integers(5, 150),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(boxes, max_size=30))
def test_labels_lie_over_no_other_face_or_label(faces: list[Box]) -> None:
    placed = layout_labels(faces, [FORMS] * len(faces), SIZE, plain=2, gap=2)
    for i, label in enumerate(placed):
        if label is None:
            continue
        box = label.box
        assert (box.width, box.height) == FORMS[label.form]
        assert min(box.left, box.top) >= 0
        assert box.right <= SIZE[0]
        assert box.bottom <= SIZE[1]
        assert shared(box, faces[i]) <= MOST_COVERED * faces[i].area
        assert not any(shared(box, face) for j, face in enumerate(faces) if j != i)
        assert not any(other and shared(box, other.box) for j, other in enumerate(placed) if j != i)


def test_a_lone_face_gets_its_richest_form_above() -> None:
    (label,) = layout_labels([Box(100, 120, 200, 220)], [FORMS], SIZE, plain=2, gap=2)
    assert label is not None
    assert label.form == 0
    assert label.box == Box(100, 58, 190, 118)


def test_every_face_gets_a_plain_label_before_any_gets_a_rich_one() -> None:
    faces = [Box(20 + 95 * i, 130, 80 + 95 * i, 200) for i in range(4)]
    placed = layout_labels(faces, [FORMS] * 4, SIZE, plain=2)
    assert all(placed)


def test_a_face_that_fills_the_image_carries_its_label() -> None:
    (label,) = layout_labels([Box(0, 0, 400, 300)], [FORMS], SIZE, plain=2)
    assert label is not None
    assert label.box.top == 0  # its forehead, not its mouth


def test_a_tight_portrait_keeps_its_face_visible() -> None:
    face = Box(10, 10, 140, 140)
    (label,) = layout_labels([face], [FORMS], (150, 150), plain=2)
    assert label is not None
    assert label.form > 0  # four lines would cover a third of the face
    assert shared(label.box, face) <= MOST_COVERED_BY_MORE * face.area


def test_a_label_that_almost_fits_above_covers_the_least_of_its_face() -> None:
    face = Box(50, 13, 250, 300)
    (label,) = layout_labels([face], [[Form(60, 14)]], (300, 300), gap=2)
    assert label is not None
    assert label.box.bottom == 14


def test_a_label_wider_than_the_image_is_left_out() -> None:
    assert layout_labels([Box(0, 0, 20, 20)], [[Form(50, 10)]], (40, 40)) == [None]
