"""The documentation site: Sphinx reads the Markdown of this repository in place. Built by scripts/docs.

The README of a folder lists the folder's pages: its links come first in the navigation, in their order, and pages
that it does not link follow by name.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from mien import __version__  # noqa: E402

project = "mien"
author = "The mien developers"
project_copyright = "The mien developers, Apache-2.0"
release = version = __version__
html_title = f"mien {__version__}"

extensions = ["myst_nb", "sphinx_copybutton"]
root_doc = "docs/README"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "research/README.md", "examples/README.md", "CHANGELOG.md",
                    "CONTRIBUTING.md"]  # fmt: skip
exclude_patterns = ["**/.*"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

myst_heading_anchors = 4  # as GitHub names them, so that the links work in both
nb_execution_mode = "off"  # the tests execute the notebooks
highlight_language = "none"
smartquotes = False  # --output would become a dash


html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_extra_path = ["_static/index.html"]  # the top of the site leads to docs/README.html
html_search_scorer = str(ROOT / "docs/search_scorer.js")
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005a8c", "color-brand-content": "#005a8c"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}


def list_folder(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give the README of a folder of `docs` a hidden table of contents of the folder."""
    folder, _, page = name.rpartition("/")
    if page != "README" or folder in ("docs", "research", "examples"):
        return
    there = sorted(path.stem for path in (ROOT / folder).glob("*.md") if path.stem != page)
    linked = [link for link in re.findall(r"\]\(([\w+.-]+)\.md\)", source[0]) if link in there]
    entries = "\n".join(dict.fromkeys([*linked, *there]))
    source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", list_folder)
