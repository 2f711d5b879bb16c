"""The static page, opened in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.opened import opened
from tests.web.site import static_site

MS = 240_000  # on a busy machine
KEEP_NETWORKS = """
    const Native = Worker;
    window.Worker = class extends Native {
        constructor(...options) {
            super(...options);
            window.networks = this;
            this.addEventListener("message", ({ data: { result } }) => {
                if (result?.cells) window.explanation = result;
            });
        }
    };
"""


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    """Where a static site has been opened once, its files kept for offline use."""
    with static_site() as address:
        context = chromium.new_context(
            accept_downloads=True, base_url=address, bypass_csp=True, permissions=["camera"]
        )
        context.set_default_timeout(MS)
        context.add_init_script(KEEP_NETWORKS)
        page = opened(context)
        page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
        page.close()
        yield context
        context.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """The page with its networks loaded, as nobody used it before: tests come in any order."""
    page = opened(context)
    yield page
    page.close()
