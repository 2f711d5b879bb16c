"""The colours of everything that is drawn: an expression has the same colour in images, plots and reports."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType

from mien.labels import Expression

# Okabe and Ito's palette (2008), told apart by colour-blind readers; its grey darker, to stay apart from purple.
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#707070"

COLOURS = MappingProxyType[str, str](
    {
        Expression.NEUTRAL: GREY,
        Expression.HAPPINESS: ORANGE,
        Expression.SURPRISE: YELLOW,
        Expression.SADNESS: BLUE,
        Expression.ANGER: VERMILION,
        Expression.DISGUST: GREEN,
        Expression.FEAR: PURPLE,
        Expression.CONTEMPT: SKY,
    }
)
SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)  # for what is no expression: splits, groups, tracks
PAPER, INK, MUTED, FAINT = "#FFFFFF", "#222222", "#666666", "#EEEEEE"  # ground, text, side notes, empty places
UNCERTAIN, FAULT = "#D0D0D0", "#B00020"
FREE = (SKY, GREEN, PURPLE, ORANGE, BLUE, VERMILION, YELLOW)  # for classes of a user's own


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """A colour "#RRGGBB" for each class of a label set, no two alike.

    The field's eight expressions keep theirs; other classes take what is left, in their order.
    """
    return dict(_colours_of(tuple(labels)))


@lru_cache(maxsize=64)
def _colours_of(labels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    taken = {COLOURS[label] for label in labels if label in COLOURS}
    free = iter([colour for colour in FREE if colour not in taken])
    others = [label for label in labels if label not in COLOURS]
    given = {label: next(free, None) or _hue(i) for i, label in enumerate(others)}
    return tuple((label, COLOURS.get(label) or given[label]) for label in labels)


def colour_of(label: str, labels: Sequence[str] = ()) -> str:
    """The colour of one class "#RRGGBB", as `colours_of` gives it to the class of that label set."""
    return COLOURS.get(label) or colours_of(labels if label in labels else [label])[label]


def _hue(index: int) -> str:
    """One of many colours around the circle, neighbours far apart."""
    red, green, blue = colorsys.hls_to_rgb(index * 0.618034 % 1, 0.45 + 0.2 * (index % 2), 0.6)
    return "#{:02X}{:02X}{:02X}".format(*(round(255 * value) for value in (red, green, blue)))


def rgb(colour: str) -> tuple[int, int, int]:
    """ "#RRGGBB" as three whole numbers 0..255."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance of "#RRGGBB", 0 for black to 1 for white (WCAG 2)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 for equal ones to 21 for black on white (WCAG 2); text needs 4.5."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """Black or white "#RRGGBB", whichever reads better on this colour."""
    return max(("#000000", "#FFFFFF"), key=lambda ink: contrast(ink, colour))
