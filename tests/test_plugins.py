"""Parts by name, by entry point and by import path."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mien import plugins
from mien.errors import InputError, OptionError, UnknownNameError
from mien.geometry import Box

BUILTIN = {"box": "mien.geometry:Box"}


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="theirs", value="mien.geometry:Box.area", group="mien.networks")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])


def test_a_name_an_import_path_and_an_entry_point() -> None:
    assert plugins.resolve("network", "box", BUILTIN) is Box
    assert plugins.resolve("network", "mien.geometry:Box", {}) is Box
    assert plugins.resolve("network", "theirs", BUILTIN) is Box.area
    assert plugins.names("network", BUILTIN) == ["box", "theirs"]


def test_modules_of_the_working_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mien_test_own.py").write_text("VALUE = 5\n")
    (tmp_path / "mien_test_broken.py").write_text("1 / 0\n")
    (tmp_path / "mien_test_needs.py").write_text("import mien_test_absent\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert plugins.resolve("network", "mien_test_own:VALUE", {}) == 5
    with pytest.raises(InputError, match="importing mien_test_broken stops with ZeroDivisionError"):
        plugins.resolve("network", "mien_test_broken:VALUE", {})
    with pytest.raises(ModuleNotFoundError, match="mien_test_absent"):
        plugins.resolve("network", "mien_test_needs:VALUE", {})
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bxo", "No network called 'bxo'. Did you mean 'box'"),
        ("mien.geometry:Bax", "mien.geometry has no Bax"),
        ("mien.geometri:Box", "there is no module mien.geometri; install the package, or run from its folder"),
        ("geometry.py:Box:", "write an import path as package.module:Name"),
    ],
)
def test_what_cannot_be_found_says_why(name: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        plugins.resolve("network", name, BUILTIN)
    assert words in str(caught.value)
    assert isinstance(caught.value, UnknownNameError) == (":" not in name)
