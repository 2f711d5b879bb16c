"""The page of a real service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXAMPLES

pytestmark = pytest.mark.slow


def test_the_server_predicts(chromium: Any, tmp_path: Path) -> None:
    service = pytest.importorskip("tests.service.conftest", exc_type=ImportError)
    from mien.service.settings import ServiceSettings

    running = service.start(ServiceSettings(data=tmp_path, auth=False))
    try:
        page = chromium.new_page()
        page.set_default_timeout(240_000)
        page.goto(running.url)
        page.locator("#mode-line", has_text="images are sent to this server").wait_for()
        page.locator("#modes").wait_for(state="visible")
        page.set_input_files("#files", EXAMPLES / "astronaut.jpg")
        page.locator(".verdict", has_text="happiness").wait_for()
        page.check("input[value=browser]")
        page.locator("#mode-line", has_text="no image leaves this device").wait_for()
        assert page.evaluate("() => crossOriginIsolated")
        page.close()
    finally:
        running.close()
