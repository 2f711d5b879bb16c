"""ONNX models that take the tensors they share with a safetensors file from it (made by `research/borrow.py`)."""

from __future__ import annotations

from pathlib import Path


def borrows(model: Path, tensors: str) -> bool:
    """Whether an ONNX file has external data in the file of this name."""
    return tensors.encode() in model.read_bytes()
