"""`/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from mien.errors import ServiceError
from mien.service.schemas import Health, errors
from mien.service.state import state_of

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process runs", response_model=Health)
async def healthz() -> Any:
    """For a supervisor that restarts what does not respond."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Whether requests can be served: weights are loaded, the database responds",
    response_model=Health,
    responses=errors(503),
)
async def readyz(request: Request) -> Any:
    """For a load balancer."""
    try:
        await run_in_threadpool(state_of(request).jobs.counts)
    except SQLAlchemyError:
        raise ServiceError("the database does not respond", status=503) from None
    return {"status": "ready"}


@router.get(
    "/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse, responses=errors(401, 403)
)
async def metrics(request: Request) -> Response:
    """Requests, times, batches, the queue, jobs, memory."""
    state = state_of(request)
    counts = await run_in_threadpool(state.jobs.counts)
    return Response(state.metrics.page(counts), media_type=CONTENT_TYPE_LATEST)
