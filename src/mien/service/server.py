"""Run the service until it is told to end."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
from collections.abc import Iterator

import uvicorn

from mien.errors import OptionError
from mien.service.app import create_app
from mien.service.logs import log
from mien.service.protocol import limited_protocol, server_options
from mien.service.settings import ServiceSettings


def serve(settings: ServiceSettings) -> None:
    """Listen, and return after SIGTERM or Ctrl-C, when the requests that were taken have their responses."""
    listening = _listen(settings)
    app = create_app(settings)
    protocol = limited_protocol(headers_s=10.0, max_connections=settings.max_connections)
    grace_s = round(2 * settings.timeout_s)
    config = uvicorn.Config(app, http=protocol, **server_options(timeout_graceful_shutdown=grace_s))
    with listening, _signals_end_it():
        log("listening", host=settings.host, port=listening.getsockname()[1], tokens=settings.auth)
        uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def _signals_end_it() -> Iterator[None]:
    """Uvicorn repeats the signal that ended it; then all is done, and the process ends as if nothing had failed."""
    handlers = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)


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
