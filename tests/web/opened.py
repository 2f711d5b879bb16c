"""What tests do with an open page: give it files, take its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def opened(context: Any) -> Any:
    """The page with its networks loaded."""
    page = context.new_page()
    page.goto("/")
    page.locator("#mode-line", has_text="loaded").wait_for()
    return page


# A file that is no image is done before a look from outside: the page itself tells when progress is hidden again.
WATCH = """() => { const progress = document.querySelector("#progress");
    window.recognised = new Promise((done) => new MutationObserver(() => { if (progress.hidden) done(); })
        .observe(progress, { attributeFilter: ["hidden"] })); }"""


def give(page: Any, *files: Path | dict[str, Any]) -> None:
    """Choose files, and wait until they are recognised."""
    page.evaluate(WATCH)
    page.set_input_files("#files", list(files))
    page.evaluate("() => window.recognised")


def rows(page: Any, kind: str = "json") -> Any:
    """The results as a file that the page gives for download: parsed, or of another kind as bytes."""
    with page.expect_download() as download:
        page.click(f"[data-download={kind}]")
    content = Path(download.value.path()).read_bytes()
    return json.loads(content) if kind == "json" else content
