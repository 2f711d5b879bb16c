"""Where real distributions lie, for the tests that read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PLACES = (CHECKOUT / "shared/data", CHECKOUT.parent / "shared/data")


@pytest.fixture
def real() -> Callable[[str], Path]:
    """The path of a real distribution; skips, saying what is missing, where there is none."""

    def find(name: str) -> Path:
        places = [Path(os.environ["MIEN_TEST_DATA"])] if "MIEN_TEST_DATA" in os.environ else PLACES
        for place in places:
            if (place / name).exists():
                return place / name
        pytest.skip(f"{name} is not in {' or '.join(map(str, places))}; MIEN_TEST_DATA names another folder")

    return find
