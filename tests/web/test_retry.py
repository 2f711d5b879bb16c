"""What failed is tried again without choosing its file once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXAMPLES
from tests.web.opened import give, rows

pytestmark = pytest.mark.slow
PREDICT = "**/v1/predict*"


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of a service, which predicts."""
    service = pytest.importorskip("tests.service.conftest", exc_type=ImportError)
    from mien.service.settings import ServiceSettings

    running = service.start(ServiceSettings(auth=False, data=tmp_path))
    page = chromium.new_page()
    page.set_default_timeout(240_000)
    page.goto(running.url)
    page.locator("#mode-line", has_text="images are sent to this server").wait_for()
    yield page
    page.close()
    running.close()


def test_a_failed_file_is_tried_again_by_keyboard(page: Any) -> None:
    page.route(PREDICT, lambda route: route.abort())
    give(page, EXAMPLES / "astronaut.jpg")
    page.locator("#view-note", has_text="the server cannot be reached").wait_for()
    assert not page.locator("#again-all").is_visible()
    button = page.get_by_role("button", name="Try again: ⁨astronaut.jpg⁩")
    button.focus()
    page.keyboard.press("Enter")  # in vain
    page.locator("#announce", has_text="the server cannot be reached").wait_for()
    button.wait_for()
    page.unroute(PREDICT)
    button.focus()
    page.keyboard.press("Enter")
    page.locator(".verdict", has_text="happiness").wait_for()
    assert page.evaluate("document.activeElement.id") == "view-title"
    assert button.count() == 0
    assert not page.locator("#problem").is_visible()
    assert [row["error"] for row in rows(page)] == [None]


def test_each_failed_file_has_its_button_and_all_have_one(page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"no image")
    give(page, EXAMPLES / "astronaut.jpg")
    page.locator(".verdict").wait_for()
    page.route(PREDICT, lambda route: route.fulfill(status=502, body="bad gateway"))
    give(page, *(EXAMPLES / "grace_hopper.jpg", EXAMPLES / "astronaut.jpg", tmp_path / "notes.jpg"))
    again = page.locator(".strip .again")
    again.nth(1).wait_for()
    assert again.count() == 2  # an image that cannot be read will not be another time
    assert page.locator("#again-all").text_content() == "Try all 2 failed files again"
    page.unroute(PREDICT)
    again.nth(1).click()
    page.locator("#announce", has_text="1 face").wait_for()
    assert again.count() == 1
    page.route(PREDICT, lambda route: route.fulfill(status=502, body="bad gateway"))
    give(page, EXAMPLES / "astronaut.jpg")
    page.unroute(PREDICT)
    page.click("#again-all")
    page.locator(".strip .again").first.wait_for(state="detached")
    page.locator("#progress").wait_for(state="hidden")
    assert [row["error"] is None for row in rows(page)] == [True, True, True, False, True]


@pytest.mark.parametrize("width", [375, 1366])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_files_failed(page: Any, theme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 800})
    page.route(PREDICT, lambda route: route.abort())
    give(page, EXAMPLES / "astronaut.jpg", EXAMPLES / "grace_hopper.jpg")
    page.locator(".strip .again").nth(1).wait_for()
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not violations, [(one["id"], one["nodes"][0]["html"]) for one in violations]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
