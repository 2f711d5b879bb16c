"""Requests gather into small batches: a bounded queue, a bounded wait, results in the order of arrival."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mien.errors import ServiceError
from mien.service.fair_queue import FairQueue

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False)
class _Waiting(Generic[T, R]):
    item: T
    future: asyncio.Future[R]
    since: float = field(default_factory=time.monotonic)


class Gatherer(Generic[T, R]):
    """Runs `run(items)`, which returns one result or error for each item, in `workers` threads; clients take turns.

    A batch is what waits, up to `size` items. While other requests are `arriving`, a batch that is not full waits
    up to `wait_s` for them. Beyond `limit` waiting items, `client_limit` of one client, and for those that wait
    longer than `timeout_s`, a `ServiceError` 429 says when to try again.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        workers: int,
        size: int,
        wait_s: float,
        limit: int,
        client_limit: int,
        timeout_s: float,
        observe: Callable[[int, float], None] = lambda items, seconds: None,
    ) -> None:
        self._run, self._size, self._wait_s, self._timeout_s = run, size, wait_s, timeout_s
        self._limit, self._client_limit = limit, client_limit
        self._observe = observe
        self._waiting: FairQueue[_Waiting[T, R]] = FairQueue()
        self._arriving: Counter[str] = Counter()  # by client
        self._idle = 0
        self._changed = asyncio.Condition()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="predict")
        self._workers = [asyncio.create_task(self._work()) for _ in range(workers)]
        self._closing = False
        self._item_s = 0.05  # running mean of the seconds of one item

    @property
    def waiting(self) -> int:
        """Items that no worker has taken yet."""
        return len(self._waiting)

    def arriving_of(self, client: str) -> int:
        """Requests of this client that are being received."""
        return self._arriving[client]

    @contextlib.contextmanager
    def arriving(self, client: str) -> Iterator[None]:
        """A client's request is being received; raises `ServiceError` 429 where it would find the queue full."""
        self._check_room(client, self._arriving)
        self._arriving[client] += 1
        try:
            yield
        finally:
            self._arriving[client] -= 1
            if not self._arriving[client]:
                del self._arriving[client]

    async def submit(self, client: str, item: T) -> R:
        """The result of one item; raises what `run` gave for it."""
        self._check_room(client, Counter())
        entry: _Waiting[T, R] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(client, entry)
        async with self._changed:
            self._changed.notify()
        return await entry.future

    async def close(self) -> None:
        """Finish what waits, then end the workers."""
        self._closing = True
        async with self._changed:
            self._changed.notify_all()
        await asyncio.gather(*self._workers)
        self._pool.shutdown()

    def _check_room(self, client: str, arriving: Counter[str]) -> None:
        if len(self._waiting) + arriving.total() >= self._limit + self._idle:
            message = f"the service is busy: {len(self._waiting)} requests wait; try again later"
            raise ServiceError(message, status=429, retry_after_s=self._retry_after_s())
        mine = self._waiting.of(client) + arriving[client]
        if mine >= self._client_limit + self._idle:
            message = f"{mine} of your requests wait, the limit of one client; wait for their responses"
            raise ServiceError(message, status=429, retry_after_s=self._retry_after_s())

    def _retry_after_s(self) -> int:
        return max(1, min(60, round(self._item_s * len(self._waiting) / max(1, len(self._workers)))))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := await self._next_batch():
            start = time.monotonic()
            try:
                results = await loop.run_in_executor(self._pool, self._run, [entry.item for entry in batch])
            except Exception as error:
                results = [error] * len(batch)
            seconds = time.monotonic() - start
            self._item_s += 0.2 * (seconds / len(batch) - self._item_s)
            self._observe(len(batch), seconds)
            for entry, result in zip(batch, results, strict=True):
                if entry.future.done():  # its client has gone
                    continue
                if isinstance(result, Exception):
                    entry.future.set_exception(result)
                else:
                    entry.future.set_result(result)

    async def _next_batch(self) -> list[_Waiting[T, R]]:
        """What one worker takes; empty when the service closes."""
        while True:
            async with self._changed:
                self._idle += 1
                try:
                    while not self._waiting:
                        if self._closing:
                            return []
                        await self._changed.wait()
                    await self._wait_for_more()
                finally:
                    self._idle -= 1
            if batch := self._take():
                return batch

    async def _wait_for_more(self) -> None:
        until = time.monotonic() + self._wait_s
        while self._arriving and len(self._waiting) < self._size and not self._closing:
            left = until - time.monotonic()
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    def _take(self) -> list[_Waiting[T, R]]:
        """Its share of what waits, so that idle workers have theirs, without those that waited too long."""
        share = -(-len(self._waiting) // (self._idle + 1))
        batch: list[_Waiting[T, R]] = []
        while self._waiting and len(batch) < min(self._size, share):
            entry = self._waiting.popleft()
            if entry.future.done():
                continue
            if time.monotonic() - entry.since > self._timeout_s:
                message = f"no worker was free for {self._timeout_s:g} seconds; try again later"
                entry.future.set_exception(ServiceError(message, status=429, retry_after_s=self._retry_after_s()))
                continue
            batch.append(entry)
        return batch
