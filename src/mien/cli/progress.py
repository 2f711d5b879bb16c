"""A progress bar on stderr where it is a terminal and there is something to wait for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Bar:
    """A `Progress` callback that shows nothing: for files, pipes and --quiet."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many are done in all; what the first call counts was done by an earlier run and is no speed."""

    def write(self, line: str) -> None:
        """One line on stderr, above the bar."""
        print(line, file=sys.stderr)  # noqa: T201


@contextmanager
def progress(title: str, total: int | None = None, *, quiet: bool) -> Iterator[Bar]:
    """A bar with count, rate and time left. `total`: None where only the first call tells it."""
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as rich_progress:
        task = rich_progress.add_task(title, total=total)

        class Shown(Bar):
            begun = False

            def __call__(self, done: int, total: int | None = None) -> None:
                if self.begun:
                    rich_progress.update(task, completed=done, total=total)
                else:
                    rich_progress.reset(task, completed=done, total=total)
                self.begun = True

            def write(self, line: str) -> None:
                rich_progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield Shown()
