"""What the page shares with the package is the package's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_constants_of_the_page_are_those_of_the_package() -> None:
    spec = importlib.util.spec_from_file_location("web_constants", ROOT / "tools/web_constants.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = module.FILE.read_text(encoding="utf-8")
    assert written == module.text(), "run python tools/web_constants.py, then npm run build in web/"
