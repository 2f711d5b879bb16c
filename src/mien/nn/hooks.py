"""Hooks for intermediate tensors: a layer hands over what it computes, and it is kept only within `capture`.

Otherwise a hook costs a tenth of a microsecond and holds no tensor; compiled and exported graphs have none.
Each thread captures for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_captured: ContextVar[defaultdict[str, list[Tensor]] | None] = ContextVar("_captured", default=None)


@contextmanager
def capture() -> Iterator[dict[str, list[Tensor]]]:
    """The tensors of every hook that runs within the block: name -> tensors, in order."""
    captured: defaultdict[str, list[Tensor]] = defaultdict(list)
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        _captured.reset(token)


def is_capturing() -> bool:
    """Whether a hook would keep a tensor. Never in a graph that is being compiled or exported."""
    return not torch.compiler.is_compiling() and _captured.get() is not None


def hook(name: str, *values: Tensor) -> None:
    """Hand over tensors under a name."""
    if not torch.compiler.is_compiling() and (captured := _captured.get()) is not None:
        captured[name].extend(values)


def numbered(name: str, values: list[Tensor]) -> dict[str, Tensor]:
    """`{"name.1": ..., "name.2": ...}`."""
    return {f"{name}.{i}": value for i, value in enumerate(values, 1)}
