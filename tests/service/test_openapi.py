"""What the OpenAPI document promises holds for whatever Schemathesis thinks of."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from mien.service.app import create_app
from mien.service.settings import ServiceSettings
from tests.service.conftest import Running

SCHEMA = schemathesis.openapi.from_dict(create_app(ServiceSettings(auth=False)).openapi())


@SCHEMA.parametrize()
@settings(
    max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_the_service_keeps_to_its_document(shared: Running, case: schemathesis.Case) -> None:
    checks = [positive_data_acceptance]  # bytes may be "binary" and yet no image, a text no label set
    case.call_and_validate(base_url=shared.url, excluded_checks=checks)
