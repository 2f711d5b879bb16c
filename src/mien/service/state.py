"""What one running service holds."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from mien.service.gather import Gatherer
from mien.service.image_work import ImageRequest
from mien.service.recognizers import Recognizers
from mien.service.settings import ServiceSettings


@dataclass
class ServiceState:
    """Made when the service starts, closed when it ends."""

    settings: ServiceSettings
    recognizers: Recognizers
    gatherer: Gatherer[ImageRequest, bytes]
    pending_bytes: int = 0  # of images that are being received or wait


def state_of(request: Request) -> ServiceState:
    """The state of the service that a request is for."""
    state: ServiceState = request.app.state.service
    return state
