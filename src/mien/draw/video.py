"""Frames of a video with boxes, track numbers and expressions, above a strip of every track's expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.draw.palette import UNCERTAIN, colour_of, ink_on, rgb
from mien.geometry import Box
from mien.results import percent

MOST_LINES = 6  # of tracks in the strip: those longest in sight
_GROUND, _LINE, _TEXT = (24, 24, 24), (46, 46, 46), (235, 235, 235)
_LONGEST_GAP_S = 0.5  # between two frames of a track that is drawn through


def clock(time_s: float) -> str:
    """ "1:05.2"; from an hour on "1:01:05"; times before 0, of tables whose times were shifted, as "-0:02.5"."""
    tenths = round(time_s * 10)
    if tenths < 0:
        return f"-{clock(-time_s)}"
    minutes, rest = divmod(tenths, 600)
    if minutes < 60:
        return f"{minutes}:{rest / 10:04.1f}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"


@dataclass(frozen=True)
class MarkedFace:
    """What is drawn of a face. `label` and `confidence`: smoothed where there are smoothed scores."""

    box: Box
    track: int | None
    label: str
    confidence: float
    certain: bool | None


class VideoMarker:
    """Draws on every frame of one video, all of the same size.

    `size`: width and height of the frames. `times`, `tracks`, `labels`, `uncertain`: of every face, for the
    strip. `span_s`: first and last time of the video. `classes`: all that may occur. `draw`: any of "boxes",
    "labels" and "bars", which are the strip.
    """

    def __init__(
        self,
        size: tuple[int, int],
        times: np.ndarray,
        tracks: np.ndarray,
        labels: Sequence[str],
        uncertain: np.ndarray,
        *,
        span_s: tuple[float, float],
        classes: Sequence[str],
        draw: Sequence[str] = ("boxes", "labels", "bars"),
    ) -> None:
        self._size, self._classes, self._parts = size, tuple(classes), tuple(draw)
        self._span_s = span_s[0], max(span_s[1], span_s[0] + 1e-3)
        self._unit = max(12, round(min(size) / 36))  # height of a line of the strip
        self._font = ImageFont.load_default(size=self._unit * 0.8)
        numbers, counts = np.unique(tracks, return_counts=True)
        self._lines = sorted(numbers[np.argsort(-counts, kind="stable")][:MOST_LINES].tolist())
        self._left = round(self._unit * 2.6)
        self._strip: Image.Image | None = None
        if "bars" in draw:
            self._strip = self._draw_strip(times, tracks, np.asarray(labels, dtype=object), uncertain)

    @property
    def height(self) -> int:
        """Of the marked frames: that of the frames and the strip."""
        return self._size[1] + (0 if self._strip is None else self._strip.height)

    def mark(self, image: np.ndarray, faces: Sequence[MarkedFace], time_s: float) -> np.ndarray:
        """A frame (H, W, 3) uint8 RGB -> (height, W, 3)."""
        result = Image.new("RGB", (self._size[0], self.height), _GROUND)
        frame = Image.fromarray(image)
        scale = min(self._size[0] / frame.width, self._size[1] / frame.height)
        if frame.size != self._size:  # the video changed its size: fitted into the first one's
            frame = frame.resize((round(frame.width * scale), round(frame.height * scale)))
        result.paste(frame, (0, 0))
        draw = ImageDraw.Draw(result)
        for face in reversed(faces):
            self._mark_face(draw, face, scale)
        if self._strip is not None:
            result.paste(self._strip, (0, self._size[1]))
            self._mark_time(draw, time_s)
        return np.asarray(result)

    def _mark_time(self, draw: ImageDraw.ImageDraw, time_s: float) -> None:
        x = self._column(np.array([time_s]))[0]
        bottom = self._size[1] + self._lines_height
        draw.line((x, self._size[1], x, bottom), fill="white", width=max(2, self._unit // 8))
        text = f"{clock(time_s)} / {clock(self._span_s[1])}"
        corner = self._size[0] - self._unit / 4, bottom + self._unit * 0.6
        draw.text(corner, text, fill=_TEXT, font=self._font, anchor="rm")

    def _mark_face(self, draw: ImageDraw.ImageDraw, face: MarkedFace, scale: float) -> None:
        sides = (face.box.left, face.box.top, face.box.right - 1, face.box.bottom - 1)
        left, top, right, bottom = (side * scale for side in sides)
        colour = colour_of(face.label, self._classes)
        line = max(2, self._unit // 8)
        if "boxes" in self._parts:
            draw.rectangle((left, top, max(right, left), max(bottom, top)), outline=colour, width=line)
        if "labels" not in self._parts:
            return
        number = "" if face.track is None else f"{face.track}  "
        uncertain = face.certain is False
        text = f"{number}{face.label}{'?' if uncertain else ''} {percent(face.confidence)}"
        box = draw.textbbox((0, 0), text, font=self._font)
        high, wide = self._unit * 1.15, box[2] - box[0] + self._unit * 0.7
        x = min(max(left, 0), max(self._size[0] - wide, 0))
        y = top - high if top >= high else min(bottom, self._size[1] - high)
        ground = UNCERTAIN if uncertain else colour
        draw.rectangle((x, y, x + wide, y + high), fill=ground)
        draw.text((x + wide / 2, y + high / 2), text, fill=ink_on(ground), font=self._font, anchor="mm")

    def _draw_strip(
        self, times: np.ndarray, tracks: np.ndarray, labels: np.ndarray, uncertain: np.ndarray
    ) -> Image.Image:
        unit, gap = self._unit, max(2, self._unit // 6)
        self._lines_height = max(1, len(self._lines)) * (unit + gap) + 2 * gap
        strip = Image.new("RGB", (self._size[0], self._lines_height + round(unit * 1.4)), _GROUND)
        draw = ImageDraw.Draw(strip)
        for row, track in enumerate(self._lines):
            top = gap + row * (unit + gap)
            draw.text((self._left - gap * 2, top + unit / 2), f"{track}", fill=_TEXT, font=self._font, anchor="rm")
            draw.rectangle((self._left, top, self._size[0] - gap, top + unit - 1), fill=_LINE)
            mine = tracks == track
            self._draw_line(draw, times[mine], labels[mine], uncertain[mine], top)
        self._draw_legend(draw, [str(label) for label in labels], self._lines_height)
        return strip

    def _draw_line(
        self, draw: ImageDraw.ImageDraw, times: np.ndarray, labels: np.ndarray, uncertain: np.ndarray, top: int
    ) -> None:
        """One track's expressions: each lasts to the next frame of the track; uncertain ones are low."""
        if not len(times):
            return
        gaps = np.diff(times, append=times[-1])
        usual = float(np.median(gaps[:-1])) if len(gaps) > 1 else 0.0
        lasts = np.where(gaps <= max(_LONGEST_GAP_S, 2 * usual), gaps, usual)
        lasts[-1] = usual
        starts, ends = self._column(times), self._column(times + lasts)
        for start, end, label, low in zip(starts, ends, labels, uncertain, strict=True):
            high = top + self._unit * (0.6 if low else 0.0)
            sides = (start, high, max(end, start), top + self._unit - 1)
            draw.rectangle(sides, fill=colour_of(label, self._classes))

    def _draw_legend(self, draw: ImageDraw.ImageDraw, labels: Sequence[str], top: float) -> None:
        """The expressions that occur, the most frequent first, as far as there is space."""
        x, unit = float(self._left), self._unit
        clocks = draw.textlength(f"{clock(self._span_s[1])} / {clock(self._span_s[1])}", font=self._font) + 2 * unit
        for label in sorted(set(labels), key=lambda label: -list(labels).count(label)):
            wide = unit * 1.1 + draw.textlength(label, font=self._font) + unit
            if x + wide > self._size[0] - clocks:
                break
            draw.rectangle(
                (x, top + unit * 0.2, x + unit * 0.8, top + unit), fill=rgb(colour_of(label, self._classes))
            )
            draw.text((x + unit * 1.1, top + unit * 0.6), label, fill=_TEXT, font=self._font, anchor="lm")
            x += wide

    def _column(self, times: np.ndarray) -> list[int]:
        """Where a time is in the strip, in pixels from the left."""
        begin, end = self._span_s
        shares = np.clip((times - begin) / (end - begin), 0, 1)
        return [round(x) for x in (self._left + shares * (self._size[0] - self._left - 3)).tolist()]
