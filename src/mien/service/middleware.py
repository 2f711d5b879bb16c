"""Around every request: its number, access, headers, a log line, metrics, and a plain 500 where all else fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.service.logs import log
from mien.service.problems import failed, known, respond
from mien.service.security import HEADERS

Admit = Callable[[Scope, Headers], Awaitable[None]]
CLIENT_GONE = 499  # for log and metrics, as nginx has it
DRAIN_BYTES, DRAIN_S = 8 * 2**20, 2.0  # of a refused body, so that its connection can be kept
LINGER_S = 10.0  # for the rest of it: who is cut off while sending, as proxies are, does not see the response
_METHODS = frozenset(("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"))
Observe = Callable[[str, str, int, float], None]


class _Body:
    """The body of a request, which is read on for a while where it was refused, so that its sender hears why."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._complete = receive, False

    async def receive(self) -> Message:
        """As ASGI has it."""
        message = await self._receive()
        self._complete = not message.get("more_body", False)
        return message

    async def drained(self, scope: Scope, *, wait: bool) -> bool:
        """Whether all of it was read, at most `DRAIN_BYTES` and `DRAIN_S` from now on."""
        headers = Headers(scope=scope)
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return True
        if self._complete or not wait or "expect" in headers:
            return self._complete
        await self.discard(DRAIN_BYTES, DRAIN_S)
        return self._complete

    async def discard(self, most: float, seconds: float) -> None:
        """Read on to its end, but no more than so many bytes, and no longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._complete and most > 0:
                    most -= len((await self.receive()).get("body", b""))


class Envelope:
    """`admit` raises a `MienError` for a request that is refused; `observe(route, method, status, seconds)`."""

    def __init__(self, app: ASGIApp, *, admit: Admit, observe: Observe) -> None:
        self._app, self._admit, self._observe = app, admit, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number, began, status = secrets.token_hex(8), time.perf_counter(), 0
        responded, lingers = 0.0, False
        scope.setdefault("state", {})["request_id"] = number

        body = _Body(receive)

        async def send_with_headers(message: Message) -> None:
            nonlocal status, responded, lingers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if status >= 400 and not await body.drained(scope, wait=status != 408):
                    headers["Connection"] = "close"
                    lingers = status != 408 and "expect" not in Headers(scope=scope)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Request-ID"] = number
            elif lingers and not message.get("more_body", False):
                await send({**message, "more_body": True})
                responded = time.perf_counter()
                await body.discard(math.inf, LINGER_S)
                message = {"type": "http.response.body"}
            await send(message)

        error: Exception | None = None
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # the server leaves its body out
        try:
            await self._admit(scope, Headers(scope=scope))
            await self._app(inner, body.receive, send_with_headers)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as caught:
            error = caught
        if error is not None and not status:
            stated = known(error)
            response = failed(number) if stated is None else respond(stated)
            if stated is error:  # the client's, nothing for the log
                error = None
            await response(scope, body.receive, send_with_headers)
        seconds = (responded or time.perf_counter()) - began
        route = getattr(inner.get("route"), "path", None) or ("page" if status < 400 else "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._observe(route, method, status, seconds)
        log(
            "request",
            level=logging.ERROR if error is not None or status >= 500 else logging.INFO,
            error=error,
            id=number, method=method, route=route, status=status, ms=round(1000 * seconds, 1),
        )  # fmt: skip
