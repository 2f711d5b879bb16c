"""What one running service holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy import Engine

from mien.service.fetch import Fetcher
from mien.service.gather import Gatherer
from mien.service.image_memory import ImageMemory
from mien.service.image_work import ImageRequest
from mien.service.job_files import DataFolder, Incoming
from mien.service.job_runner import JobRunner
from mien.service.job_store import Job, JobStore
from mien.service.metrics import Metrics
from mien.service.recognizers import Recognizers
from mien.service.settings import ServiceSettings
from mien.service.tokens import TokenCheck


@dataclass
class ServiceState:
    """Made when the service starts, closed when it ends."""

    settings: ServiceSettings
    recognizers: Recognizers
    gatherer: Gatherer[ImageRequest, bytes]
    explainer: Gatherer[ImageRequest, bytes]
    engine: Engine
    tokens: TokenCheck
    folder: DataFolder
    jobs: JobStore
    runner: JobRunner
    metrics: Metrics
    fetcher: Fetcher | None
    memory: ImageMemory
    incoming: set[Incoming] = field(default_factory=set)  # uploads of jobs that are being received

    def cancel_job(self, number: str, owner: str) -> Job:
        """Cancel a job, or remove its result; its files go at once, or when its runner sees it."""
        if self.jobs.cancel(number, owner):
            self.folder.remove(number)
        self.runner.wake()
        return self.jobs.get(number, owner)


def owner_of(request: Request) -> str:
    """Id of the token of a request; "" without tokens."""
    owner: str = request.scope["state"].get("owner", "")
    return owner


def state_of(request: Request) -> ServiceState:
    """The state of the service that a request is for."""
    state: ServiceState = request.app.state.service
    return state
