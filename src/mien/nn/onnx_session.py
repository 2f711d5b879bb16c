"""ONNX Runtime sessions as this package wants them."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_importing = threading.Lock()


def open_session(model: bytes | Path, *, threads: int = 0) -> InferenceSession:
    """A CPU session. `threads`: 0 for one per core. Idle threads sleep instead of spinning."""
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; official files carry harmless warnings
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )


def _runtime() -> ModuleType:
    """ONNX Runtime without its telemetry, which would start a thread at the import and write to ~/.cache/Microsoft.

    The environment is as before afterwards.
    """
    with _importing:
        before = os.environ.get(_NO_TELEMETRY)
        os.environ[_NO_TELEMETRY] = "1"
        try:
            return import_module("onnxruntime")
        finally:
            del os.environ[_NO_TELEMETRY]
            if before is not None:
                os.environ[_NO_TELEMETRY] = before
