"""A bar on stderr where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(words: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A function to be told how many more are done, of how many; it draws nothing on a file or a pipe."""
    if quiet or not sys.stderr.isatty():
        yield lambda count, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)
        yield lambda count, of: bar.update(task, advance=count, total=of)
