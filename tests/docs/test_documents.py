"""Documents wrap, their links lead somewhere, and the generated pages are what the product says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from mien.weights.manifest import load_manifest
from tests.docs.commands import DOCUMENTS, ROOT

TOOL = runpy.run_path(str(ROOT / "tools/reference.py"))
PAGES = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
WIDTH = 116


@PAGES
def test_lines_wrap(page: Path) -> None:
    long = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        in_table = line.startswith("|")
        if len(line) > WIDTH and not in_table and " " in line.strip():
            long.append(f"{page.relative_to(ROOT)}:{number} has {len(line)} characters")
    assert not long, "\n".join(long)


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.relative_to(ROOT)}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.relative_to(ROOT)}: {target}"


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGES
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    folders = "src/mien|research|tools|benchmarks|tests|docs|scripts|examples|notebooks|web"
    for name in re.findall(rf"(?<![\w/])(?:{folders})/[\w./-]*\w", text):
        assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), f"{page.relative_to(ROOT)}: {name}"


@PAGES
def test_modules_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?:python -m|from) ((?:mien|research)[\w.]*)", text):
        path = (ROOT / "src" if name.startswith("mien") else ROOT) / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), f"{page.relative_to(ROOT)}: {name}"


@PAGES
def test_options_that_a_page_gives_to_scripts_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for name, options in re.findall(r"python (?:-m )?((?:research|tools|benchmarks)[./][\w./]*)([^`\n]*)", text):
        module = name.removesuffix(".py").replace(".", "/")
        source = (ROOT / f"{module}.py").read_text(encoding="utf-8")
        for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", options.partition("  #")[0]):
            assert f'"{option}"' in source, f"{page.relative_to(ROOT)}: {name} has no {option}"


@pytest.mark.parametrize("page", ["docs/concepts/quality.md", "docs/models/robustness.md", "docs/how-to/cite.md"])
def test_measurements_name_the_weights_in_the_package(page: str) -> None:
    assert load_manifest("default").identity in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TOOL["fresh"]())
def test_reference_pages_are_up_to_date(name: str) -> None:
    there = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert there == TOOL["fresh"]()[name], "python tools/reference.py, then commit docs/reference"


def test_the_citation_names_this_version() -> None:
    from mien import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
