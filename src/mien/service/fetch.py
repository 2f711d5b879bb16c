"""Images by their address, where the operator allows it: from public addresses only, pinned once checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from mien._version import __version__
from mien.errors import ServiceError

MOST_REDIRECTS = 3
PORTS = (80, 443)
_REDIRECTS = (301, 302, 303, 307, 308)
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))  # IPv4 at their end

Allowed = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it stands inside an IPv6 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner: list[ipaddress.IPv4Address | None] = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(ip in network for network in _TRANSLATED):
            inner.append(ipaddress.IPv4Address(int(ip) % 2**32))
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        if any(one is not None and not is_public(str(one)) for one in inner):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks every address, and connects to a checked one: it cannot change in between."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed, self._backend = allowed, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _unreachable("its host has no address") from None
        addresses = [str(entry[4][0]) for entry in entries]
        if not addresses or not all(map(self._allowed, addresses)):
            raise ServiceError("the address leads into a private network; only public ones are fetched", status=403)
        return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


class Fetcher:
    """Fetches images. `allowed`: which IP addresses may be connected to; `ports`: which ports."""

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        allowed: Allowed = is_public,
        ports: tuple[int, ...] = PORTS,
    ) -> None:
        self._max_bytes, self._timeout_s, self._ports = max_bytes, timeout_s, ports
        self._allowed = allowed

    async def fetch(self, url: str, arrived: Callable[[int], None] = lambda size: None) -> bytes:
        """The content at an address; `arrived` is told the size of each piece. Raises `ServiceError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                async with httpcore.AsyncConnectionPool(network_backend=_Pinned(self._allowed)) as pool:
                    for _ in range(MOST_REDIRECTS + 1):
                        content, target = await self._get(pool, url, arrived)
                        if target is None:
                            return content
                        url = urljoin(url, target)
        except TimeoutError:
            raise _unreachable("it did not respond in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            raise _unreachable("the connection failed") from None
        raise _unreachable(f"it redirects more than {MOST_REDIRECTS} times")

    async def _get(
        self, pool: httpcore.AsyncConnectionPool, url: str, arrived: Callable[[int], None]
    ) -> tuple[bytes, str | None]:
        """The content, or where the address redirects to."""
        self._check(url)
        headers = {"User-Agent": f"mien/{__version__}", "Accept": "image/*", "Accept-Encoding": "identity"}
        async with pool.stream("GET", url, headers=list(headers.items())) as response:
            values = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in values:
                return b"", values[b"location"].decode("latin-1")
            if response.status != 200:
                raise _unreachable(f"it responds with status {response.status}")
            content = bytearray()
            async for piece in response.aiter_stream():
                arrived(len(piece))
                content += piece
                if len(content) > self._max_bytes:
                    limit = self._max_bytes / 2**20
                    raise ServiceError(f"the image at the address is larger than {limit:g} MiB", status=413)
            return bytes(content), None

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            raise _wrong("it cannot be read") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _wrong("it must begin with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise _wrong("it must not hold a user or password")
        if port not in self._ports:
            raise _wrong(f"its port must be {' or '.join(map(str, self._ports))}")
        if not url.isascii() or any(letter.isspace() for letter in url):
            raise _wrong("it must be percent-encoded ASCII")


def _wrong(reason: str) -> ServiceError:
    return ServiceError(f"the address of the image is refused: {reason}", status=422)


def _unreachable(reason: str) -> ServiceError:
    return ServiceError(f"the image cannot be fetched: {reason}", status=422)
