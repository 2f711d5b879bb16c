"""Run the service until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mien.errors import OptionError
from mien.service.app import create_app
from mien.service.logs import log
from mien.service.protocol import limited_protocol, server_options
from mien.service.settings import ServiceSettings


def serve(settings: ServiceSettings, *, ready: Callable[[int], None] = lambda port: None) -> None:
    """Listen, and return after SIGTERM or Ctrl-C, when the requests that were taken have their responses.

    `ready` gets the port once requests can be served. Raises a `MienError` where they cannot.
    """
    listening = _listen(settings)
    app = create_app(settings)
    protocol = limited_protocol(headers_s=10.0, max_connections=settings.max_connections)
    grace_s = round(2 * settings.timeout_s)
    options = server_options(timeout_graceful_shutdown=grace_s, lifespan="off")
    config = uvicorn.Config(app, http=protocol, **options)
    with listening:
        asyncio.run(_run(app, config, listening, ready))


async def _run(
    app: FastAPI, config: uvicorn.Config, listening: socket.socket, ready: Callable[[int], None]
) -> None:
    """The life of the application around that of its server, so that what fails at its start is raised."""
    with contextlib.ExitStack() as ending:
        ending.enter_context(_handled_by(signal.default_int_handler))  # the first process of a container has none
        async with app.router.lifespan_context(app):
            port = listening.getsockname()[1]
            log("listening", host=listening.getsockname()[0], port=port, tokens=app.state.service.settings.auth)
            ready(port)
            # Uvicorn repeats the signal that ended it; by then all is done, and nothing has failed.
            ending.enter_context(_handled_by(lambda *_: None))
            await uvicorn.Server(config).serve(sockets=[listening])


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """SIGINT and SIGTERM, while the block runs."""
    before = {one: signal.signal(one, handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, earlier in before.items():
            signal.signal(one, earlier)


def _listen(settings: ServiceSettings) -> socket.socket:
    host = settings.host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, settings.port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise OptionError(f"port {settings.port} is in use; choose another with --port") from error
        raise OptionError(f"cannot listen on {host}:{settings.port} ({error}); choose another --host") from error
    listening.setblocking(False)
    return listening
