"""What is drawn of one face: its box, label, bars, landmarks and head axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ImageDraw, ImageFont

from mien.draw.layout import Form
from mien.draw.palette import BLUE, GREEN, UNCERTAIN, VERMILION, colour_of, ink_on
from mien.geometry import Box, rotation_matrix
from mien.results import Face, percent, reasons

BARS = 3  # classes of a label with bars, the chip's own among them
MOST_WITH_BARS = 12  # faces of an image; among more it is no longer clear whose bars they are
_LEAST_SHARE = 0.01  # of a class with a bar
_CASING = (0, 0, 0, 150)  # around lines, so that they are seen on any ground
_PANEL = (20, 20, 20, 225)
_TRACK = (90, 90, 90)  # of a bar: as long as 100 %
_LEAST_PX, _LEAST_SMALL_PX, _LEAST_LINE = 10, 9, 1
_ONE_SPACE_PX = 14  # in smaller text one space is hardly seen


@dataclass(frozen=True)
class Line:
    """One line of a label. `share`: of a bar under it, 0..1; None for a chip. `edge`: colour of its left side."""

    text: str
    colour: str
    share: float | None = None
    scale: float = 1.0  # of the text's size
    edge: str = ""


@dataclass(frozen=True)
class Label:
    """Lines below each other, in text of so many pixels."""

    lines: tuple[Line, ...]
    text_px: float
    least_width: float = 0.0

    @property
    def form(self) -> Form:
        """Its size."""
        widths = [
            _font(self.text_px * line.scale).getlength(line.text) + self.edge_px * bool(line.edge)
            for line in self.lines
        ]
        return Form(round(max(*widths, self.least_width, 0) + 0.7 * self.text_px), sum(map(self.row, self.lines)))

    def row(self, line: Line) -> int:
        """Height of a line in pixels, with its bar."""
        return round(1.4 * self.text_px * line.scale) + (0 if line.share is None else self.bar_px)

    @property
    def edge_px(self) -> int:
        """Width of a coloured left side."""
        return round(0.4 * self.text_px)

    @property
    def bar_px(self) -> int:
        """Height of a bar."""
        return max(2, round(0.18 * self.text_px))


def text_px(box: Box, size: tuple[int, int]) -> float:
    """Height of the text at a face: a seventh of its width, within limits that follow the image's shorter side."""
    short = min(size)
    return max(_LEAST_PX, short / 72, min(short / 30, box.width / 7))


def line_px(box: Box, size: tuple[int, int]) -> int:
    """Width of the lines at a face."""
    return max(_LEAST_LINE, round(min(text_px(box, size) / 6, box.width / 20)))


def labels_of(face: Face, size: tuple[int, int], *, bars: bool) -> list[Label]:
    """The forms of a face's label, the richest first; [1] has the reason, [2] is one line, the rest are shorter."""
    scores = face.expression
    if scores is None:
        return []
    height = text_px(face.box, size)
    uncertain = face.certain is False
    colour = UNCERTAIN if uncertain else colour_of(scores.top, scores.labels)
    edge = colour_of(scores.top, scores.labels) if uncertain else ""
    name = f"{scores.top}{'?' * uncertain}"
    space = "  " if height < _ONE_SPACE_PX else " "
    chip = Line(f"{name}{space}{percent(scores.confidence)}", colour, edge=edge)
    scale = max(0.78, min(1.0, _LEAST_SMALL_PX / height))
    why = reasons(face)
    reason = (Line(", ".join(why), "", scale=scale),) if why else ()
    ranked = [(label, p) for label, p in scores.ranked()[1:BARS] if p >= _LEAST_SHARE] if bars else []
    rows = [Line(f"{label}{space}{percent(p)}", colour_of(label, scores.labels), p, scale) for label, p in ranked]
    wide = min(face.box.width, 11 * height)
    small = max(_LEAST_PX, 0.85 * height)
    return [
        Label((chip, *reason, *rows), height, wide if rows else 0.0),
        Label((chip, *reason), height),
        Label((chip,), height),
        Label((chip,), small),
        Label((Line(name, colour, edge=edge),), small),
        Label((Line(f"{str(scores.top)[:3]}{'?' * uncertain}", colour, edge=edge),), small),
    ]


def draw_label(draw: ImageDraw.ImageDraw, label: Label, box: Box) -> None:
    """A label at its place."""
    left, right, y = round(box.left), round(box.right) - 1, round(box.top)
    for line in label.lines:
        high = label.row(line)
        middle = y + high / 2
        font = _font(label.text_px * line.scale)
        is_chip = line.share is None and bool(line.colour)
        draw.rectangle((left, y, right, y + high - 1), fill=line.colour if is_chip else _PANEL)
        if line.edge:
            draw.rectangle((left, y, left + label.edge_px - 1, y + high - 1), fill=line.edge)
        if line.share is not None:
            top, end = y + high - label.bar_px, left + (right - left) * line.share
            draw.rectangle((left, top, right, top + label.bar_px - 1), fill=_TRACK)
            draw.rectangle((left, top, max(end, left + 1), top + label.bar_px - 1), fill=line.colour)
            middle -= label.bar_px / 2
        inset = left + 0.35 * label.text_px + label.edge_px * bool(line.edge)
        draw.text(
            (inset, middle), line.text, fill=ink_on(line.colour) if is_chip else "white", font=font, anchor="lm"
        )
        y += high


def draw_box(draw: ImageDraw.ImageDraw, face: Face, line: int) -> None:
    """The outline of a face, dashed where the prediction is uncertain."""
    box, scores = face.box, face.expression
    colour = "#FFFFFF" if scores is None else colour_of(scores.top, scores.labels)
    left, top, right, bottom = (round(v) for v in (box.left, box.top, box.right - 1, box.bottom - 1))
    if right - left < 1 or bottom - top < 1:
        return
    casing = max(1, line // 2)
    draw.rectangle((left - casing, top - casing, right + casing, bottom + casing), outline=_CASING, width=casing)
    if face.certain is not False:
        draw.rectangle((left, top, right, bottom), outline=colour, width=line)
        return
    draw.rectangle((left, top, right, bottom), outline="#303030", width=line)
    dash = max(4.0 * line, min(box.width, box.height) / 12)
    for x in np.arange(left, right, 2 * dash):
        end = min(x + dash, right)
        draw.rectangle((x, top, end, top + line - 1), fill=colour)
        draw.rectangle((x, bottom - line + 1, end, bottom), fill=colour)
    for y in np.arange(top, bottom, 2 * dash):
        end = min(y + dash, bottom)
        draw.rectangle((left, y, left + line - 1, end), fill=colour)
        draw.rectangle((right - line + 1, y, right, end), fill=colour)


def draw_landmarks(draw: ImageDraw.ImageDraw, face: Face) -> None:
    """A dot for each of the 68 points; on the smallest faces a pixel, so that the face is still seen."""
    radius = face.box.width / 110
    if radius < 0.6:
        draw.point([(int(x), int(y)) for x, y in face.landmarks or ()], fill="#FFFFFF")
        return
    for x, y in face.landmarks or ():
        for extra, colour in ((max(0.5, radius / 2), _CASING), (0.0, "#FFFFFF")):
            r = radius + extra
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def draw_axes(draw: ImageDraw.ImageDraw, face: Face, line: int) -> None:
    """The head's axes from between the eyes' and mouth's middle: to its side, up, and along the nose (thickest)."""
    if face.pose is None:
        return
    points = face.landmarks
    x, y = np.mean(points, axis=0) if points is not None else face.box.centre
    rotation = rotation_matrix(face.pose.yaw_deg, face.pose.pitch_deg, face.pose.roll_deg)
    length = 0.5 * face.box.width
    for axis, colour, width in (((1, 0, 0), VERMILION, 2), ((0, -1, 0), GREEN, 2), ((0, 0, -1), BLUE, 3)):
        towards = rotation @ np.array(axis, dtype=float) * length
        ends = (x, y, x + towards[0], y + towards[1])
        draw.line(ends, fill=_CASING, width=width * line + 2 * max(1, line // 2))
        draw.line(ends, fill=colour, width=width * line)


@lru_cache(maxsize=64)
def _font(pixels: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)
