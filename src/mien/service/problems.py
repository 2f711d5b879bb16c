"""Errors as HTTP: the classes of `mien.errors` by name, one line of text, never a traceback."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from mien.errors import InputError, MienError, MissingPackageError, OptionError, ServiceError
from mien.media.disk import is_disk_full
from mien.service.database import UNAVAILABLE
from mien.service.options import problems

_MESSAGES = {404: "there is nothing at this address; see /openapi.json", 405: "this address has no such method"}


def status_of(error: MienError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, ServiceError):
        return error.status
    if isinstance(error, OptionError | InputError):
        return 422
    return 501 if isinstance(error, MissingPackageError) else 500


def body_of(kind: str, message: str, status: int) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"type": kind, "message": message, "status": status}}


def respond(error: MienError) -> Response:
    """The response that states an error."""
    status = status_of(error)
    headers = {}
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mien"'
    return JSONResponse(body_of(type(error).__name__, str(error), status), status, headers)


def known(error: Exception) -> MienError | None:
    """What a client is told about an error; None where only the log of the service can have the reason."""
    if isinstance(error, MienError):
        return None if status_of(error) == 500 else error
    if isinstance(error, UNAVAILABLE):
        return ServiceError("the database does not respond; try again later", status=503, retry_after_s=5)
    if is_disk_full(error):
        return ServiceError("the disk of the service is full; try again later", status=507, retry_after_s=60)
    return None


def failed(number: str) -> Response:
    """Of an error that is not the client's; the log has the rest."""
    message = f"the service failed; its log has the reason under the number {number}"
    return JSONResponse(body_of("MienError", message, 500), 500)


def plain_response(status: int, message: str) -> bytes:
    """An error as HTTP/1.1, for a connection that has no request yet; it is closed afterwards."""
    body = json.dumps(body_of("ServiceError", message, status)).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def on_mien_error(_: Request, error: Exception) -> Response:
    """An error of this package."""
    if not isinstance(error, MienError) or known(error) is None:
        raise error
    return respond(error)


async def on_wrong_request(_: Request, error: Exception) -> Response:
    """A request that the OpenAPI document does not allow."""
    if not isinstance(error, RequestValidationError):
        raise error
    return respond(OptionError(problems(error.errors())))


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses: unknown addresses and methods."""
    if not isinstance(error, HTTPException):
        raise error
    message = _MESSAGES.get(error.status_code, str(error.detail))
    body = body_of("ServiceError", message, error.status_code)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        routes: list[Route] = request.app.state.routes
        matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
        methods = sorted({method for route in matching for method in route.methods or ()})
        methods += ["HEAD"] * ("GET" in methods)
        headers["Allow"] = ", ".join(methods or ("GET", "HEAD"))  # or of the page
    return JSONResponse(body, error.status_code, headers)
