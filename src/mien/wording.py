"""Counts, shares and texts as messages and tables say them."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """ "1 image", "2,965 images"."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def share(value: float | None) -> str:
    """A share of one in percent, with one decimal."""
    return "–" if value is None else f"{value:.1%}"


def in_one_line(text: object, most: int | None = None) -> str:
    """A text, or what an error says, in one line of at most so many characters."""
    line = " ".join(str(text).split())
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"
