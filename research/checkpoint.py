"""Runs that can be killed: everything that training needs to go on, in one file written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def save(path: Path, step: int, **parts: Any) -> None:
    """The state of every part after `step` steps."""
    half = path.with_suffix(".half")
    torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, half)
    half.replace(path)


def resume(path: Path, **parts: Any) -> int:
    """Fill the parts from an earlier run, if there is one; returns the steps it had done."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])
