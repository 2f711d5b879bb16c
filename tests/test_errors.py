"""What an error says to do is what works."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from mien.errors import how_to_install

REQUIRED = [
    "numpy>=1.26",
    'matplotlib>=3.8; extra == "plots"',
    'mien[plots,report]; extra == "evaluate"',
    'scikit-learn>=1.4; extra == "evaluate"',
    'jinja2>=3.1; extra == "report"',
    "jinja2>=3.1; extra == 'evaluate'",
    'psycopg[binary]>=3.2; extra == "postgresql"',
]


def test_an_extra_is_installed_by_name_in_a_clone_and_by_its_packages_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: REQUIRED)
    assert how_to_install("evaluate") == (
        "in a clone of mien: pip install '.[evaluate]'; elsewhere: pip install matplotlib jinja2 scikit-learn"
    )
    assert how_to_install("postgresql").endswith("elsewhere: pip install 'psycopg[binary]'")


def test_nothing_is_said_to_be_on_an_index_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> list[str]:
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.requires", absent)
    assert how_to_install("train") == "in a clone of mien: pip install '.[train]'"
