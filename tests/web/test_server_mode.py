"""The page of a real service that wants a token."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import EXAMPLES

pytestmark = pytest.mark.slow


def bitmap(width: int, height: int) -> bytes:
    """An image that nothing makes smaller."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 110, 80)).save(buffer, "BMP")
    return buffer.getvalue()


def test_the_server_predicts_and_explains(chromium: Any, tmp_path: Path) -> None:
    service = pytest.importorskip("tests.service.conftest", exc_type=ImportError)
    from mien.service.settings import ServiceSettings
    from mien.service.tokens import add_token, revoke_token

    running = service.start(ServiceSettings(data=tmp_path, max_mib=1.0))
    try:
        token = add_token(running.state.engine, "page")
        page = chromium.new_page()
        page.set_default_timeout(240_000)
        page.goto(running.url)
        page.locator("#mode-line", has_text="no image leaves this device").wait_for()
        assert page.evaluate("() => crossOriginIsolated")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.check("input[value=server]")
        page.fill("#token", "mien_wrong")
        page.press("#token", "Enter")
        page.locator("#problem", has_text="token").wait_for()
        page.fill("#token", token)
        page.press("#token", "Enter")
        page.locator("#token-form").wait_for(state="hidden")
        page.locator("#mode-line", has_text="images are sent to this server").wait_for()
        page.set_input_files("#files", EXAMPLES / "astronaut.jpg")
        page.locator(".verdict", has_text="happiness").wait_for()
        page.click("#explain")
        page.locator("#explain", has_text="Hide").wait_for()
        assert [url for url in asked if "/v1/explain?face=0&label=happiness" in url]
        large = {"name": "a.bmp", "mimeType": "image/bmp", "buffer": bitmap(1200, 300)}
        page.set_input_files("#files", large)
        page.locator("#view-note", has_text="has 1.0 MiB; this server reads up to 1: make it smaller").wait_for()
        revoke_token(running.state.engine, token.split("_")[1])
        time.sleep(1.1)
        page.set_input_files("#files", EXAMPLES / "grace_hopper.jpg")
        page.locator("#token-form").wait_for(state="visible")  # for another one
        running.server.should_exit = True
        running.thread.join()
        page.set_input_files("#files", EXAMPLES / "grace_hopper.jpg")
        page.locator("#view-note", has_text="the server cannot be reached").wait_for()
        page.close()
    finally:
        running.close()
