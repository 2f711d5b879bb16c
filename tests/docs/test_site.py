"""The documentation site builds without a warning, lists every page, and needs nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.docs.commands import ROOT

pytest.importorskip("myst_nb")
pytest.importorskip("furo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    sphinx = [sys.executable, "-W", "ignore", "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q"]
    folders = ["-c", str(ROOT / "docs"), "-d", str(out / "doctrees"), str(ROOT), str(out / "html")]
    done = subprocess.run([*sphinx, *folders], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.mark.slow
def test_every_page_is_in_the_navigation(site: Path) -> None:
    front = (site / "docs/README.html").read_text(encoding="utf-8")
    links = re.findall(r'<li class="toctree-l\d[^"]*"><a class="reference internal" href="([^"#]+)"', front)
    listed = {unquote(link) for link in links}
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    for page in pages:
        name = page.relative_to(ROOT).with_suffix(".html").as_posix()
        assert (site / name).is_file(), name
        link = name.removeprefix("docs/") if name.startswith("docs/") else f"../{name}"
        assert link in listed or name == "docs/README.html", f"{name} is not in the navigation"


@pytest.mark.slow
def test_the_site_works_offline(site: Path) -> None:
    assert (site / "searchindex.js").is_file()
    assert (site / "index.html").is_file()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text)
        assert not loaded, f"{page.relative_to(site)} loads {loaded}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


@pytest.mark.slow
def test_the_search_finds_guides_first_without_a_network(site: Path, chromium: Any) -> None:
    context = chromium.new_context()
    context.set_offline(True)
    page = context.new_page()
    page.goto((site / "search.html").as_uri() + "?q=occlusion")
    page.wait_for_selector("#search-results li a")
    found = [link.get_attribute("href") for link in page.locator("#search-results li a").all()]
    assert "docs/how-to/explain.html" in found[0]
    assert len(found) > 3
    context.close()
