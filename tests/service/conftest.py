"""A running service on a free port of loopback, and PostgreSQL for the tests that want one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")
pytest.importorskip("uvicorn")

import uvicorn

from mien.service.app import create_app
from mien.service.protocol import limited_protocol, server_options
from mien.service.settings import ServiceSettings
from mien.service.state import ServiceState
from tests.conftest import EXAMPLES
from tests.service.postgresql import Cluster
from tests.waiting import PATIENCE_S, eventually

connect = socket.socket.connect


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests reach loopback and nothing else."""

    def only_loopback(one: socket.socket, address: Any) -> None:
        assert one.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1"), (
            f"a test tried to reach {address}"
        )
        connect(one, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)


@dataclass
class Running:
    """A service in a thread."""

    settings: ServiceSettings
    server: uvicorn.Server
    thread: threading.Thread
    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> ServiceState:
        app: Any = self.server.config.app
        return app.state.service

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S))
        return self.clients[-1]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.should_exit = True
        self.thread.join()


def start(settings: ServiceSettings, *, headers_s: float = 10.0, reader_s: float = 30.0) -> Running:
    """Start a service; ready when this returns."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    protocol = limited_protocol(headers_s=headers_s, max_connections=settings.max_connections, reader_s=reader_s)
    config = uvicorn.Config(create_app(settings), http=protocol, **server_options(timeout_graceful_shutdown=5))
    server = uvicorn.Server(config)

    def run() -> None:
        with listening:
            server.run(sockets=[listening])

    thread = threading.Thread(target=run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.02)
    return Running(settings, server, thread, listening.getsockname()[1])


Start = Callable[..., Running]


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Start]:
    """Services with settings of the test's own."""
    running: list[Running] = []

    def begin(*, headers_s: float = 10.0, reader_s: float = 30.0, **settings: Any) -> Running:
        values = {"auth": False, "workers": 1, "data": tmp_path / "data"} | settings
        running.append(start(ServiceSettings(**values), headers_s=headers_s, reader_s=reader_s))
        return running[-1]

    yield begin
    for one in running:
        one.close()


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for the tests that do not change it."""
    data = tmp_path_factory.mktemp("service")
    running = start(
        ServiceSettings(auth=False, workers=1, data=data, timeout_s=5.0, max_mib=2.0, max_megapixels=4.0)
    )
    yield running
    running.close()


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this test run, as a user that is not root."""
    one = Cluster.start()
    yield one
    one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """URL of an empty database; None: SQLite in the data folder."""
    return None if request.param == "sqlite" else request.getfixturevalue("cluster").new_database()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small photo of one face."""
    return small_photo(256)


def small_photo(side: int) -> bytes:
    """The astronaut as JPEG of this side."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(EXAMPLES / "astronaut.jpg") as image:
        image.convert("RGB").resize((side, side)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def wait_for(client: httpx.Client, job: str, *states: str) -> dict[str, Any]:
    """The status of a job when it is in one of these states."""

    def reached() -> dict[str, Any] | None:
        status: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
        return status if status["state"] in states else None

    status = eventually(reached)
    assert status is not None
    return status
