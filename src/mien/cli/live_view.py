"""What a person sees of a live source: a window where there is a screen, the terminal otherwise."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mien.draw.faces import annotate
from mien.draw.palette import UNCERTAIN, colours_of
from mien.errors import OptionError
from mien.results import Face, VideoFrame, percent
from mien.wording import in_one_line

VIEWS = ("auto", "window", "terminal", "none")
_MOST_FACES = 6
_CARD = 38  # cells of a face in the terminal


class View(Protocol):
    """Shows frames."""

    def show(self, frame: VideoFrame, status: str) -> bool:
        """One frame and a line of text; False when the person closed the view."""
        ...


class NoView:
    """Shows nothing: for pipes and scripts."""

    def show(self, frame: VideoFrame, status: str) -> bool:
        """True."""
        return True


@contextmanager
def open_view(kind: str, title: str) -> Iterator[View]:
    """The view of this name; `auto`: a window where there is a screen, or a terminal, or none."""
    if kind not in VIEWS:
        raise OptionError(f"view is {kind!r}; give {', '.join(VIEWS)}")
    if kind == "window" or (kind == "auto" and _has_screen()):
        problem = _why_no_window()
        if problem and kind == "window":
            raise OptionError(f"no window can be opened: {problem}; use --view terminal")
        if not problem:
            window = Window(title)
            try:
                yield window
            finally:
                window.close()
            return
    if kind == "terminal" or (kind == "auto" and sys.stderr.isatty()):
        console = Console(stderr=True)
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield TerminalView(live, console, title)
        return
    yield NoView()


def _has_screen() -> bool:
    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _why_no_window() -> str:
    """Why tkinter cannot open a window here; "" where it can."""
    try:
        import tkinter

        from PIL import ImageTk  # noqa: F401

        root = tkinter.Tk()
        root.destroy()
    except ImportError as error:
        return f"{error.name} is not installed (Debian: apt install python3-tk)"
    except Exception as error:  # TclError, which is not there without tkinter
        return in_one_line(error)
    return ""


class Window:
    """Marked frames in a window of tkinter; closed by its cross, q or Escape."""

    def __init__(self, title: str) -> None:
        import tkinter

        self._open = True
        self._root = tkinter.Tk()
        self._root.title(f"mien: {title}")
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._status = tkinter.Label(self._root, anchor="w", padx=6, pady=3)
        self._status.pack(fill="x")
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        for key in ("q", "<Escape>"):
            self._root.bind(key, self._leave)
        self._photo: Any = None
        self._most = (int(self._root.winfo_screenwidth() * 0.8), int(self._root.winfo_screenheight() * 0.8))

    def _leave(self, _event: object = None) -> None:
        self._open = False

    def show(self, frame: VideoFrame, status: str) -> bool:
        """One frame with its faces marked."""
        from PIL import Image, ImageTk

        if frame.image is not None:
            image = Image.fromarray(marked(frame.image, frame.faces))
            image.thumbnail(self._most)
            self._photo = ImageTk.PhotoImage(image, master=self._root)
            self._label.configure(image=self._photo)
        self._status.configure(text=status)
        self._root.update()
        return self._open

    def close(self) -> None:
        """The window is gone."""
        self._root.destroy()


def marked(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """The image with its faces marked by their smoothed scores where they have some."""
    from dataclasses import replace

    return annotate(image, [replace(face, expression=face.smoothed or face.expression) for face in faces])


class TerminalView:
    """Bars for every face, a few times a second."""

    def __init__(self, live: Live, console: Console, title: str) -> None:
        self._live, self._console, self._title, self._shown = live, console, title, 0.0

    def show(self, frame: VideoFrame, status: str) -> bool:
        """One frame, unless the last one was shown just now."""
        now = time.monotonic()
        if now - self._shown >= 0.12:
            self._live.update(terminal_view(frame, self._title, status, width=self._console.width), refresh=True)
            self._shown = now
        return True


def terminal_view(frame: VideoFrame, title: str, status: str, *, width: int) -> RenderableType:
    """The faces of one frame side by side, as many as fit; below, what is going on."""
    faces = sorted(frame.faces[:_MOST_FACES], key=lambda face: face.box.left)  # as in the image
    grid = Table.grid(padding=(0, 2, 1, 0))
    columns = max(1, width // (_CARD + 2))
    cards = [_card(face) for face in faces] or [Text("no face", "dim")]
    for start in range(0, len(cards), columns):
        grid.add_row(*cards[start : start + columns])
    return Group(grid, Text.assemble((title, "bold"), "  ", status, "  ", ("Ctrl-C ends", "dim"), overflow="fold"))


def _card(face: Face) -> RenderableType:
    scores = face.smoothed or face.expression
    if scores is None:
        return Text("face")
    name = "face" if face.track is None else f"track {face.track}"
    problems = " ".join(face.quality.flags) if face.quality else ""
    uncertain = face.certain is False
    heading = Text.assemble(
        (name, "bold"), f"  {scores.top}{'?' if uncertain else ''} {percent(scores.confidence)}"
    )
    if problems:
        heading.append(f"  {problems}", "dim")
    heading.truncate(_CARD, overflow="ellipsis")
    rows = Table.grid(padding=(0, 1, 0, 0))
    colours = colours_of(scores.labels)
    for label, value in zip(scores.labels, scores.values, strict=True):
        bar = Text("█" * round(18 * value), UNCERTAIN if uncertain else colours[label])
        bar.pad_right(18 - len(bar))
        rows.add_row(Text(str(label)[:12]), bar, Text(percent(value), justify="right"))
    return Group(heading, rows)
