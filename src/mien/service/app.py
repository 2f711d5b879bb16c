"""The application: its routes, what it holds while it runs, how errors look."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from mien._version import __version__
from mien.errors import MienError
from mien.service import health_routes, model_routes, predict_routes, problems
from mien.service.gather import Gatherer
from mien.service.image_work import ImageWork
from mien.service.middleware import Admit, Envelope
from mien.service.page import page
from mien.service.recognizers import Recognizers
from mien.service.security import OPEN, check_host, check_origin
from mien.service.settings import ServiceSettings, is_loopback
from mien.service.state import ServiceState

DESCRIPTION = """
Facial expression recognition: faces, calibrated expressions, quality. Images are not stored; jobs keep their
uploads until they end. Errors have a class of the Python package and one line that says what to do.
"""


def create_app(settings: ServiceSettings) -> FastAPI:
    """The ASGI application for these settings; it loads its weights when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = await _start(settings)
        app.state.service = state
        yield
        await state.gatherer.close()

    app = FastAPI(
        title="mien",
        version=__version__,
        description=DESCRIPTION.strip(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(MienError, problems.on_mien_error)
    app.add_exception_handler(RequestValidationError, problems.on_wrong_request)
    app.add_exception_handler(HTTPException, problems.on_http_error)
    for routes in (predict_routes, model_routes, health_routes):
        app.include_router(routes.router)
    if (static := page()) is not None:
        app.mount("/", static)
    app.add_middleware(Envelope, admit=_admission(settings), observe=lambda route, method, status, seconds: None)
    return app


def _admission(settings: ServiceSettings) -> Admit:
    """Which requests are let in."""
    names = {settings.host.strip("[]"), "localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
    checked = is_loopback(settings.host) or bool(settings.allowed_hosts)

    async def admit(scope: Scope, headers: Headers) -> None:
        if checked and scope["path"] not in OPEN:
            check_host(headers, names)
        check_origin(scope["method"], headers)

    return admit


async def _start(settings: ServiceSettings) -> ServiceState:
    recognizers = Recognizers(settings.weights, detector=settings.detector)
    recognizers.load()
    workers = settings.workers or os.cpu_count() or 1
    gatherer = Gatherer(
        ImageWork(recognizers, max_pixels=int(settings.max_megapixels * 1e6)),
        workers=workers,
        size=settings.batch_size,
        wait_s=settings.batch_wait_ms / 1000,
        limit=settings.queue,
        timeout_s=settings.timeout_s,
    )
    return ServiceState(settings, recognizers, gatherer)
