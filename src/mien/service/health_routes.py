"""`/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process runs", response_class=PlainTextResponse)
async def healthz() -> Response:
    """For a supervisor that restarts what does not respond."""
    return PlainTextResponse("ok\n")
