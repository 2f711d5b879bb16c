"""The application: its routes, what it holds while it runs, how errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from mien._version import __version__
from mien.cores import usable_cores
from mien.errors import MienError
from mien.service import health_routes, job_routes, model_routes, predict_routes, problems
from mien.service.database import open_database
from mien.service.explain_work import ExplainWork
from mien.service.fetch import Fetcher
from mien.service.gather import Gatherer
from mien.service.image_memory import ImageMemory
from mien.service.image_work import ImageWork
from mien.service.job_files import DataFolder
from mien.service.job_runner import JobRunner
from mien.service.job_store import JobStore
from mien.service.logs import log
from mien.service.metrics import Metrics
from mien.service.middleware import Admit, Envelope
from mien.service.page import page
from mien.service.recognizers import Recognizers
from mien.service.security import OPEN, check_host, check_origin, needs_token
from mien.service.settings import MIB, ServiceSettings, is_loopback
from mien.service.state import ServiceState
from mien.service.tokens import TokenCheck, list_tokens

DESCRIPTION = """
Facial expression recognition: faces, calibrated expressions, quality. Images are not stored; jobs keep their
uploads until they end. Errors have a class of the Python package and one line that says what to do.
"""


def create_app(settings: ServiceSettings) -> FastAPI:
    """The ASGI application for these settings; it opens its folder and loads its weights when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = await open_state(settings)
        app.state.service = state
        try:
            yield
        finally:
            await close_state(state)

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
    routers = [module.router for module in (predict_routes, job_routes, model_routes, health_routes)]
    routes = [route for router in routers for route in router.routes if isinstance(route, Route)]
    app.state.routes = routes
    for router in routers:
        app.include_router(router)
    if (static := page(routes)) is not None:
        app.mount("/", static)

    def observe(route: str, method: str, status: int, seconds: float) -> None:
        app.state.service.metrics.request(route, method, status, seconds)

    app.add_middleware(Envelope, admit=_admission(settings, app), observe=observe)
    return app


def _admission(settings: ServiceSettings, app: FastAPI) -> Admit:
    """Which requests are let in: known host, no foreign page, a valid token."""
    names = {settings.host.strip("[]"), "localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
    checked = is_loopback(settings.host) or bool(settings.allowed_hosts)

    async def admit(scope: Scope, headers: Headers) -> None:
        if checked and scope["path"] not in OPEN:
            check_host(headers, names)
        check_origin(scope["method"], headers)
        if settings.auth and needs_token(scope["path"]):
            tokens: TokenCheck = app.state.service.tokens
            if tokens.is_stale:
                await run_in_threadpool(tokens.refresh)
            scope["state"]["owner"] = tokens.owner(headers.get("authorization"))

    return admit


async def open_state(settings: ServiceSettings) -> ServiceState:
    """Everything that a running service holds."""
    recognizers = Recognizers(settings.weights, detector=settings.detector)
    recognizers.load()
    folder = DataFolder(settings.data)
    try:
        engine = open_database(settings.database_url)
    except BaseException:
        folder.close()
        raise
    jobs = JobStore(engine, folder.instance, keep_s=settings.keep_hours * 3600)
    metrics = Metrics(lambda: gatherer.waiting + explainer.waiting)
    memory = ImageMemory(
        int(max(settings.max_pending_mib, settings.max_mib) * MIB),
        int(settings.share(settings.max_pending_mib, least=settings.max_mib) * MIB),
    )
    images = ImageWork(
        recognizers,
        max_pixels=int(settings.max_megapixels * 1e6),
        max_search_pixels=int(settings.max_search_megapixels * 1e6),
    )
    client_queue = int(settings.share(settings.queue, least=1))
    gatherer = Gatherer(
        images,
        workers=settings.workers or usable_cores(),
        size=settings.batch_size,
        wait_s=settings.batch_wait_ms / 1000,
        limit=settings.queue,
        client_limit=client_queue,
        timeout_s=settings.timeout_s,
        observe=metrics.batch,
    )
    explainer = Gatherer(  # one at a time, so that predictions go on beside it
        ExplainWork(recognizers, images),
        workers=1, size=1, wait_s=0, limit=settings.queue, client_limit=client_queue,
        timeout_s=settings.timeout_s,
    )  # fmt: skip
    runner = JobRunner(jobs, folder, recognizers, attempts=settings.job_attempts)
    fetcher = Fetcher(max_bytes=int(settings.max_mib * MIB), timeout_s=settings.timeout_s)
    if settings.auth and not any(token.revoked is None for token in list_tokens(engine)):
        log("no tokens: every request is refused; add one with mien serve token add NAME")
    runner.start()
    return ServiceState(
        settings, recognizers, gatherer, explainer, engine, TokenCheck(engine), folder, jobs, runner, metrics,
        fetcher if settings.allow_urls else None, memory,
    )  # fmt: skip


async def close_state(state: ServiceState) -> None:
    """Finish the requests that wait, interrupt the job, and leave the folder."""
    await asyncio.gather(state.gatherer.close(), state.explainer.close())
    await run_in_threadpool(state.runner.close)
    state.engine.dispose()
    state.folder.close()
    log("ended")
