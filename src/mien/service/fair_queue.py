"""A queue in which clients take turns, so that many requests of one do not hold up those of the others."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """First in, first out for each client; one item of each client in turn."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[T]] = OrderedDict()  # clients in the order of their turns; none is empty
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def of(self, client: str) -> int:
        """How many items of this client wait."""
        return len(self._of.get(client, ()))

    def append(self, client: str, item: T) -> None:
        """Behind what this client has here."""
        self._of.setdefault(client, deque()).append(item)
        self._length += 1

    def popleft(self) -> T:
        """The item whose turn it is. Raises `KeyError` where none waits."""
        client, items = self._of.popitem(last=False)
        if len(items) > 1:
            self._of[client] = items
        self._length -= 1
        return items.popleft()
