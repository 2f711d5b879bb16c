"""The epochs of a run: which is kept, and whether patience has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

History = tuple[Mapping[str, Any], ...]
"""One entry per epoch, as `metrics.jsonl` has them."""


def best_epoch(history: Sequence[Mapping[str, Any]], monitor: str) -> int:
    """The epoch to keep, from 1: the "last", or the best by a metric; of equals the lower validation loss."""
    if monitor == "last":
        return len(history)
    best = max(history, key=lambda row: (row[monitor], -row["validation_loss"]))  # the first of equals
    return list(history).index(best) + 1


def patience_ended(history: Sequence[Mapping[str, Any]], monitor: str, patience: int) -> bool:
    """Whether so many epochs have passed since the best; never with a patience of 0."""
    return 0 < patience <= len(history) - best_epoch(history, monitor)
