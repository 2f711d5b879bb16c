"""HTTP/1.1 by uvicorn, with limits that it lacks: time until a request's headers, slow readers, connections."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.service.problems import plain_response


def limited_protocol(*, headers_s: float, max_connections: int, reader_s: float = 30.0) -> type[H11Protocol]:
    """A protocol that closes connections whose request does not begin, or not end, within `headers_s`.

    A client that leaves a full buffer of a response (64 KiB) unread for `reader_s` is cut off.
    """

    class LimitedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # asyncio does it for its own sockets only: else a body waits 40 ms for the receipt of its headers.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().connection_made(transport)  # type: ignore[arg-type]
            if len(self.connections) > max_connections:
                self._refuse(429, "too many connections; try again later")
                return
            self._arm()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_served():
                self._disarm()
            elif self._deadline is None:
                self._arm()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.transport.is_closing() and self.transport.get_write_buffer_size():
                self._is_read_by(reader_s)
            if self.conn.their_state is h11.SEND_BODY:  # a refused body goes on: not for ever
                self._arm()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            self._was_read()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._is_read_by(reader_s)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._was_read()
            if self.transport.is_closing():  # what is left of the last response
                self._is_read_by(reader_s)

        def _is_read_by(self, seconds: float) -> None:
            self._was_read()
            self._unread = self.loop.call_later(seconds, self.transport.abort)

        def _was_read(self) -> None:
            if self._unread is not None:
                self._unread.cancel()
                self._unread = None

        def _is_served(self) -> bool:
            """Whether the application has a request, so that its own limits of time hold."""
            return self.cycle is not None and not self.cycle.response_complete

        def _arm(self) -> None:
            self._disarm()
            self._deadline = self.loop.call_later(headers_s, self._late)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _late(self) -> None:
            self._deadline = None
            if self._is_served():
                return
            began = self.conn.our_state is h11.IDLE and bool(self.conn.trailing_data[0])
            if began:
                self._refuse(408, "the headers did not arrive in time")
            else:
                self.transport.close()

        def _unsupported_upgrade_warning(self) -> None:
            """No line in the log: any client may ask for one."""

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, "the request is no HTTP/1.1")

        def _refuse(self, status: int, message: str) -> None:
            self._disarm()
            if not self.transport.is_closing():
                if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                    self.transport.write(plain_response(status, message))
                self.transport.close()

    return LimitedProtocol


def server_options(**values: Any) -> dict[str, Any]:
    """Options of `uvicorn.Config` that this service always has."""
    return {
        "access_log": False, "server_header": False, "date_header": True, "log_config": None, "ws": "none",
        "proxy_headers": False, "lifespan": "on", "h11_max_incomplete_event_size": 16 * 1024,
    } | values  # fmt: skip
