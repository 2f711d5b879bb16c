"""The page is served with the headers that it needs; it hides no address of the interface."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from mien.service.page import STATIC
from tests.service.conftest import Running

pytestmark = pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="no page in this checkout")


def test_the_page_and_what_it_loads_are_there(shared: Running) -> None:
    http = shared.client()
    page = http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    files = re.findall(r'(?:src|href)="\./([^"]+)"', page.text)
    assert files
    for file in files:
        response = http.get(f"/{file}")
        assert response.status_code == 200
        assert ("immutable" in response.headers["cache-control"]) is file.startswith("assets/")
        if file.endswith(("js", "mjs")):
            assert response.headers["content-type"].startswith("text/javascript")


def test_bodies_do_not_wait_for_the_receipt_of_their_headers(shared: Running) -> None:
    shared.client().get("/healthz")
    connections: Any = shared.server.server_state.connections
    options = [
        one.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for one in connections
    ]
    assert options
    assert all(options)


def test_addresses_of_the_interface_stay_its_own(shared: Running) -> None:
    http = shared.client()
    for method, path, allow in (("GET", "/v1/predict", "POST"), ("PUT", "/v1/jobs/0", "DELETE, GET, HEAD")):
        response = http.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allow)
        assert response.json()["error"]["type"] == "ServiceError"
    assert http.get("/v1/nothing").json()["error"]["status"] == 404
