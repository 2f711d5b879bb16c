"""Batches: full ones while requests come together, refused ones beyond the queue, none lost at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from mien.errors import ServiceError
from mien.service.gather import Gatherer
from tests.waiting import PATIENCE_S


def gatherer(run: Any, **options: Any) -> Gatherer[int, int]:
    values = {
        "workers": 1,
        "size": 4,
        "wait_s": 0.0,
        "limit": 100,
        "client_limit": 100,
        "timeout_s": 30.0,
    } | options
    return Gatherer(run, **values)


def test_what_comes_together_is_run_together_and_in_order() -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [10 * item for item in items]

    async def main() -> list[int]:
        gathering = gatherer(run)
        results = await asyncio.gather(*(gathering.submit("a", i) for i in range(10)))
        await gathering.close()
        return list(results)

    assert asyncio.run(main()) == [10 * i for i in range(10)]
    assert max(sizes) == 4
    assert len(sizes) < 10


def test_an_error_is_of_its_own_item_alone() -> None:
    async def main() -> list[int | BaseException]:
        gathering = gatherer(lambda items: [ValueError("odd") if item % 2 else item for item in items])
        results = await asyncio.gather(*(gathering.submit("a", i) for i in range(4)), return_exceptions=True)
        await gathering.close()
        return list(results)

    results = asyncio.run(main())
    assert (results[0], results[2]) == (0, 2)
    assert all(isinstance(results[i], ValueError) for i in (1, 3))


def test_a_run_that_fails_fails_its_batch_and_no_other() -> None:
    failing = [True]

    def run(items: Sequence[int]) -> list[int]:
        if failing.pop():
            raise RuntimeError("once")
        return list(items)

    async def main() -> list[int]:
        gathering = gatherer(run)
        with pytest.raises(RuntimeError):
            await gathering.submit("a", 1)
        failing.append(False)
        result = await gathering.submit("a", 2)
        await gathering.close()
        return [result]

    assert asyncio.run(main()) == [2]


def test_beyond_the_queue_requests_are_refused_with_a_time() -> None:
    go = threading.Event()

    def run(items: Sequence[int]) -> list[int]:
        go.wait(PATIENCE_S)
        return list(items)

    async def main() -> None:
        gathering = gatherer(run, size=1, limit=2)
        taken = [asyncio.create_task(gathering.submit("a", i)) for i in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(ServiceError, match="busy") as caught, gathering.arriving("a"):
            pass
        assert caught.value.status == 429
        assert (caught.value.retry_after_s or 0) >= 1
        with pytest.raises(ServiceError):
            await gathering.submit("a", 9)
        closing = asyncio.create_task(gathering.close())
        go.set()
        assert await asyncio.gather(*taken) == [0, 1, 2]  # what was taken is finished
        await closing

    asyncio.run(main())


def test_clients_take_turns() -> None:
    order: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        order.extend(items)
        return list(items)

    async def main() -> None:
        gathering = gatherer(run, size=1)
        many = [gathering.submit("many", i) for i in range(6)]
        few = [gathering.submit("few", 10 + i) for i in range(2)]
        await asyncio.gather(*many, *few)
        await gathering.close()

    asyncio.run(main())
    assert order == [0, 10, 1, 11, 2, 3, 4, 5]


def test_one_client_takes_no_more_than_its_share_of_the_queue() -> None:
    go = threading.Event()

    def run(items: Sequence[int]) -> list[int]:
        go.wait(PATIENCE_S)
        return list(items)

    async def main() -> None:
        gathering = gatherer(run, size=1, limit=4, client_limit=2)
        taken = [asyncio.create_task(gathering.submit("a", i)) for i in range(2)]
        await asyncio.sleep(0.05)  # one is run, one waits
        with gathering.arriving("a"):
            with pytest.raises(ServiceError, match="2 of your requests wait") as caught, gathering.arriving("a"):
                pass
            assert (caught.value.status, (caught.value.retry_after_s or 0) >= 1) == (429, True)
            with gathering.arriving("b"):
                taken.append(asyncio.create_task(gathering.submit("b", 2)))
                await asyncio.sleep(0.05)
        go.set()
        assert await asyncio.gather(*taken) == [0, 1, 2]
        await gathering.close()

    asyncio.run(main())


def test_what_waits_too_long_is_refused() -> None:
    async def main() -> None:
        gathering = gatherer(lambda items: [time.sleep(0.2) or item for item in items], size=1, timeout_s=0.1)
        first, second = asyncio.create_task(gathering.submit("a", 1)), asyncio.create_task(gathering.submit("a", 2))
        assert await first == 1
        with pytest.raises(ServiceError, match="no worker was free"):
            await second
        assert await gathering.submit("a", 3) == 3
        await gathering.close()

    asyncio.run(main())


def test_a_batch_waits_for_what_is_arriving_but_not_for_ever() -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return list(items)

    async def main() -> float:
        patient = gatherer(run, wait_s=PATIENCE_S)
        began = time.monotonic()
        await patient.submit("a", 0)
        alone = time.monotonic() - began
        await patient.close()
        gathering = gatherer(run, wait_s=0.3)
        with gathering.arriving("a"):
            first = asyncio.create_task(gathering.submit("a", 1))
            await asyncio.sleep(0.02)
            await gathering.submit("a", 2)
            await first
        await gathering.close()
        return alone

    assert asyncio.run(main()) < PATIENCE_S
    assert sizes == [1, 2]
