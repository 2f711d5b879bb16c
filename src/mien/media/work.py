"""Work on many items by several threads or processes, in order and in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from mien.cores import usable_cores
from mien.errors import OptionError, OutputError

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

MOST_WORKERS = 1024
Progress = Callable[[int, int | None], None]
"""Called as `progress(done, total)`: so many items are done in all, of so many (None: not known)."""


def no_progress(done: int, total: int | None) -> None:
    """The `Progress` that shows nothing."""


def worker_count(workers: int) -> int:
    """How many workers are meant: 0 is one per usable core. Raises `OptionError` for fewer, or far too many."""
    if not 0 <= workers <= MOST_WORKERS:
        raise OptionError(f"workers is {workers}; it must be 1 to {MOST_WORKERS}, or 0 for one per core")
    return workers or usable_cores()


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, up to `size` at a time."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def map_bounded(
    function: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int | None = None
) -> Iterator[R]:
    """The results in the order of the items, computed by `workers` threads (0: one per core).

    At most `ahead` items (twice the workers) are begun before their result is asked for. One worker is the calling
    thread. Leaving the iterator early cancels what has not begun.
    """
    workers = worker_count(workers)
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from _in_order(pool, function, items, ahead or 2 * workers)


def in_background(items: Iterable[T], *, ahead: int) -> Iterator[T]:
    """`items`, iterated by a thread of its own that is at most `ahead` items before the caller.

    What the iteration raises is raised here, after the items before it. Leaving the iterator ends the thread.
    """
    waiting: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
    left = threading.Event()

    def put(more: bool, value: Any) -> bool:
        while not left.is_set():
            try:
                waiting.put((more, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def iterate() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:  # raised where the items are taken
            put(False, error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=iterate, daemon=True)
    thread.start()
    try:
        while True:
            more, value = waiting.get()
            if more:
                yield value
            elif value is not None:
                raise value
            else:
                return
    finally:
        left.set()
        thread.join()


def map_processes(
    setup: Callable[[], S],
    function: Callable[[S, T], R],
    items: Iterable[T],
    *,
    workers: int,
    ahead: int | None = None,
    inline: bool = True,
    ended: str = "perhaps for lack of memory; run again with fewer workers",
) -> Iterator[R]:
    """`map_bounded` by processes: each calls `setup()` once and then `function(its result, item)`.

    They are started afresh, so a script must call this below `if __name__ == "__main__"`; they leave Ctrl-C to the
    main process and end with it. `inline`: one worker is the calling process. Raises `OptionError` where `setup`
    cannot be sent to other processes, `OutputError` that goes on with `ended` where one was ended from outside.
    """
    workers = worker_count(workers)
    if workers == 1 and inline:
        state = setup()
        yield from (function(state, item) for item in items)
        return
    try:
        sent = pickle.dumps((setup, function))
    except Exception as error:
        raise OptionError(f"this work cannot be sent to other processes ({error}); use 1 worker") from error
    context = multiprocessing.get_context("spawn")  # ONNX Runtime and VTK do not survive a fork
    with ProcessPoolExecutor(workers, context, _start_process, (sent,)) as pool:
        try:
            yield from _in_order(pool, _call, items, ahead or 2 * workers)
        except BrokenProcessPool as error:
            raise OutputError(f"a process was ended from outside, {ended}") from error


def _in_order(pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    queue = iter(items)
    pending: deque[Future[R]] = deque()
    try:
        while True:
            pending.extend(pool.submit(function, item) for item in islice(queue, ahead - len(pending)))
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


_state: Any = None  # what `setup` made in this process
_function: Callable[[Any, Any], Any]


def _start_process(sent: bytes) -> None:
    """Runs once in each new process."""
    global _state, _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    setup, _function = pickle.loads(sent)  # noqa: S301  (made by our own parent)
    _state = setup()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(item: Any) -> Any:
    return _function(_state, item)
