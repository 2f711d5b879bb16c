"""Where labels go: beside their faces, over no other face and no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mien.geometry import Box

MOST_COVERED = 0.2  # of a face by its own label, where there is no room beside it
MOST_COVERED_BY_MORE = 0.12  # by a form richer than the plain one


class Form(NamedTuple):
    """One way to write a label: its size in pixels."""

    width: float
    height: float


class Placement(NamedTuple):
    """Where a label goes, and in which of its forms."""

    form: int
    box: Box


def layout_labels(
    faces: Sequence[Box],
    forms: Sequence[Sequence[Form]],
    size: tuple[int, int],
    *,
    plain: int = 0,
    gap: float = 0.0,
) -> list[Placement | None]:
    """A place for the label of each face, in this order; None where there is none.

    `forms`: of each face, the richest first; `plain`: the one that every face gets before any gets a richer one.
    `size`: width and height of the image. A label lies within the image, at a side of its face (`gap` pixels away)
    or, where there is no room, over at most `MOST_COVERED` of it: of its forehead, or else of its chin.
    """
    layout = _Layout(faces, size, gap)
    for i, of_face in enumerate(forms):
        layout.assign(i, of_face, range(plain, len(of_face)), MOST_COVERED)
    for i, of_face in enumerate(forms):
        layout.assign(i, of_face, range(min(plain, len(of_face))), MOST_COVERED_BY_MORE)
    return layout.placements


class _Layout:
    def __init__(self, faces: Sequence[Box], size: tuple[int, int], gap: float) -> None:
        self._faces, self._size, self._gap = faces, size, gap
        self._boxes = np.array([_sides(face) for face in faces]).reshape(-1, 4)
        self._labels = np.full((len(faces), 4), np.nan)
        self.placements: list[Placement | None] = [None] * len(faces)

    def assign(self, index: int, forms: Sequence[Form], order: Sequence[int], covered: float) -> None:
        """Give a label the first of its forms that has a place; else it stays where it is."""
        for form in order:
            for box in self._candidates(self._faces[index], forms[form], covered):
                if self._is_free(index, box):
                    self._labels[index] = _sides(box)
                    self.placements[index] = Placement(form, box)
                    return

    def _is_free(self, index: int, box: Box) -> bool:
        others = np.arange(len(self._boxes)) != index
        return not (_overlaps(box, self._boxes[others]) or _overlaps(box, self._labels[others]))

    def _candidates(self, face: Box, form: Form, covered: float) -> Iterator[Box]:
        """Boxes within the image, best first: above, below, at the sides; then over a share of the face."""
        width, height = self._size
        if form.width > width or form.height > height:
            return
        shown = face.clipped(width, height)
        left, right = shown.left, shown.right - form.width
        aligned = [left, right, (left + right) / 2]
        lowest = height - form.height
        above, below = shown.top - form.height - self._gap, shown.bottom + self._gap
        for y in (above, below):
            if 0 <= y <= lowest:
                yield from (_box(min(max(x, 0), width - form.width), y, form) for x in aligned)
        for x in (shown.right + self._gap, shown.left - form.width - self._gap):
            if 0 <= x <= width - form.width:
                for y in (shown.top, shown.bottom - form.height, (shown.top + shown.bottom - form.height) / 2):
                    yield _box(x, min(max(y, 0), lowest), form)
        for y in (min(max(above, 0), shown.top), shown.top, max(min(below, lowest), shown.bottom - form.height),
                  shown.bottom - form.height):  # fmt: skip
            for x in aligned:
                box = _box(min(max(x, 0), width - form.width), min(max(y, 0), lowest), form)
                if _shared(box, shown) <= covered * shown.area:
                    yield box


def _box(left: float, top: float, form: Form) -> Box:
    return Box(left, top, left + form.width, top + form.height)


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _overlaps(box: Box, others: np.ndarray) -> bool:
    """Whether a box shares area with one of (N, 4); rows of NaN are none."""
    return bool(
        (
            (others[:, 0] < box.right)
            & (box.left < others[:, 2])
            & (others[:, 1] < box.bottom)
            & (box.top < others[:, 3])
        ).any()
    )


def _shared(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0.0) * max(height, 0.0)
