"""What is shown in a terminal of any width, or piped."""

from __future__ import annotations

import os
import sys

from rich.cells import cell_len
from rich.console import Console

_UNBOUNDED = 1_000_000  # cells


def plain_console() -> Console:
    """As wide as the terminal; where the output is none, as wide as need be."""
    cut = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if cut else _UNBOUNDED, highlight=False)


def is_bounded(console: Console) -> bool:
    """Whether lines are cut to a width."""
    return console.width < _UNBOUNDED


def one_line(name: str) -> str:
    """A file's name on one line, without control codes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def end_of_path(text: str, width: int) -> str:
    """The end of a path, which tells it from the others, in at most `width` cells."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) >= width:
        text = text[1:]
    return "…" + text


def warn(line: str) -> None:
    """One line on stderr for what a run leaves out or cannot promise."""
    print(f"mien: {line}", file=sys.stderr)  # noqa: T201
