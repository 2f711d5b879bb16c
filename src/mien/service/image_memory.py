"""The memory that images take while they are received and wait: bounded, and bounded for each client."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from mien.errors import ServiceError
from mien.service.settings import MIB

RETRY_AFTER_S = 1


class ImageMemory:
    """`limit`: bytes of all images together; `client_limit`: of those of one client. What has arrived counts."""

    def __init__(self, limit: int, client_limit: int) -> None:
        self._limit, self._client_limit = limit, client_limit
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Bytes of all images that are being received or wait."""
        return self._held.total()

    @contextlib.contextmanager
    def request(self, client: str, stated: int) -> Iterator[Callable[[int], None]]:
        """One request of a client, which states so many bytes: to be told how many more of them have arrived.

        Raises `ServiceError` 429 where they do not fit, and so does what it gives.
        """
        held = 0

        def add(size: int) -> None:
            nonlocal held
            self._check(client, size)
            self._held[client] += size
            held += size

        self._check(client, stated)
        try:
            yield add
        finally:
            self._held[client] -= held
            if not self._held[client]:
                del self._held[client]

    def _check(self, client: str, more: int) -> None:
        if self.held + more > self._limit:
            raise _refusal("the service holds too many images; try again later")
        if self._held[client] + more > self._client_limit:
            limit = self._client_limit / MIB
            raise _refusal(
                f"your other requests hold nearly {limit:g} MiB of images, the limit of one client; "
                "wait for their responses, then try again"
            )


def _refusal(message: str) -> ServiceError:
    return ServiceError(message, status=429, retry_after_s=RETRY_AFTER_S)
