"""Addresses of images: only public ones, checked after resolution and on every redirect."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mien.errors import ServiceError
from mien.service.fetch import Fetcher, is_public
from tests.service.conftest import Start


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        target = {"/there": "/image", "/loop": "/loop", "/private": "http://169.254.169.254/latest"}.get(self.path)
        self.send_response(302 if target else 200 if self.path in ("/image", "/large") else 404)
        if target:
            self.send_header("Location", target)
        self.end_headers()
        if not target:
            self.wfile.write(b"image" if self.path == "/image" else bytes(2000))

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url: str, port: int, **options: Any) -> bytes:
    values = {"max_bytes": 1000, "timeout_s": 5.0, "ports": (80, 443, port)} | options
    return asyncio.run(Fetcher(**values).fetch(url))


def only_loopback(address: str) -> bool:
    return address == "127.0.0.1"


def test_an_allowed_address_is_fetched_and_its_redirects_followed(port: int) -> None:
    for path in ("image", "there"):
        assert fetch(f"http://127.0.0.1:{port}/{path}", port, allowed=only_loopback) == b"image"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("private", 403, "private network"), ("loop", 422, "redirects"), ("large", 413, "MiB"), ("nix", 422, "404")],
)
def test_what_is_not_fetched(port: int, path: str, status: int, words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        fetch(f"http://127.0.0.1:{port}/{path}", port, allowed=only_loopback)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 localhost [::1] [::ffff:127.0.0.1] 0.0.0.0 2130706433 0x7f000001 017700000001 127.1 "
    "169.254.169.254 10.0.0.1 [::]".split(),
)
def test_addresses_of_this_machine_and_its_networks_are_refused(port: int, host: str) -> None:
    with pytest.raises(ServiceError, match="private network|cannot be fetched"):
        fetch(f"http://{host}:{port}/image", port)


def test_a_name_is_checked_after_resolution_and_pinned(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def resolve(self: object, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in (["93.184.216.34", "127.0.0.1"])]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    with pytest.raises(ServiceError, match="private network"):
        fetch("http://rebinding.example/image", port)
    assert asked == ["rebinding.example"]


@pytest.mark.parametrize(
    "url",
    [
        *"file:///etc/passwd ftp://a.example/b http://user:pw@a.example/ //a.example/b http://a.example:22/".split(),
        *"gopher://a.example http:// http://[::1 http://a.example:99999/ http://a.example/ü".split(),
        "http:// a/",
    ],
)
def test_other_addresses_are_refused(url: str, port: int) -> None:
    with pytest.raises(ServiceError, match="refused") as caught:
        fetch(url, port)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("192.168.0.1", False), ("172.16.0.1", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False), ("198.18.0.1", False),
        ("fe80::1%eth0", False), ("fc00::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False), ("::7f00:1", False), ("ff02::1", False), ("64:ff9b::808:808", False),
        ("64:ff9b:1::808:808", False), ("::ffff:0:7f00:1", False), ("fec0::1", False), ("0.0.0.1", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_service_fetches_only_where_its_operator_says_so(start_service: Start, port: int) -> None:
    http = start_service(allow_urls=True).client()
    response = http.post("/v1/predict", params={"url": "http://127.0.0.1/image"})
    assert (response.status_code, response.json()["error"]["message"][:11]) == (403, "the address")
