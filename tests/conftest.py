"""Shared pieces: real photos, one recognizer, and no network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import mien

settings.register_profile("untimed", deadline=None)  # no test fails because a machine is busy
settings.load_profile("untimed")

EXAMPLES = Path(__file__).parents[1] / "examples"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first, so that at the end no process works at one while the others have nothing."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything must work without a network."""

    def refuse(*_: object) -> None:
        raise AssertionError("a test tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A smiling woman, looking ahead (NASA, public domain)."""
    return np.asarray(Image.open(EXAMPLES / "astronaut.jpg"))


@pytest.fixture(scope="session")
def hopper() -> np.ndarray:
    """A serious woman with glasses and a hat (US Navy, public domain)."""
    return np.asarray(Image.open(EXAMPLES / "grace_hopper.jpg"))


@pytest.fixture(scope="session")
def recognizer() -> mien.Recognizer:
    """The default recognizer on one thread."""
    return mien.load(threads=1)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One browser for all tests: Playwright allows no second one beside it."""
    from tests.web.chromium import launched

    yield from launched(tmp_path_factory.mktemp("camera") / "astronaut.y4m")
