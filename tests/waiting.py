"""Waiting for what comes in its own time: no test fails because a machine is busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 600  # until what does not come counts as missing


def eventually(condition: Callable[[], T]) -> T:
    """What `condition` gives as soon as it is true."""
    until = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < until, f"it did not come in {PATIENCE_S} s"
        time.sleep(0.05)
    return value
