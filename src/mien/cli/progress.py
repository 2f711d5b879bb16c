"""A bar on stderr where a person watches and there is something to wait for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Bar:
    """Shows nothing but what is said: for files, pipes and --quiet."""

    def step(self, done: int = 1, of: int | None = None) -> None:
        """So many more are done, of so many where that was not known before."""

    def reach(self, done: int, of: int | None = None) -> None:
        """So many are done in all; what the first call counts was done by an earlier run and is no speed."""

    def say(self, line: str) -> None:
        """One line on stderr, above the bar."""
        print(line, file=sys.stderr)  # noqa: T201


@contextmanager
def progress(title: str, total: int | None = None, *, quiet: bool) -> Iterator[Bar]:
    """A bar with count, rate and time left. `total`: None where only the first step tells it."""
    if quiet or (total is not None and total < 2) or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=total)

        class Shown(Bar):
            begun = False

            def reach(self, done: int, of: int | None = None) -> None:
                if self.begun:
                    shown.update(task, completed=done)
                else:
                    shown.reset(task, completed=done, total=of or total)
                self.begun = True

            def step(self, done: int = 1, of: int | None = None) -> None:
                shown.update(task, advance=done, total=of or total)

            def say(self, line: str) -> None:
                shown.console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield Shown()
