"""ONNX Runtime sessions as this package wants them."""

from __future__ import annotations

import ctypes
import os
import threading
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from mien.cores import usable_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_importing = threading.Lock()


class OnnxSession:
    """A CPU session, opened again by a pickle's reader, and by a forked process, which lacks its threads."""

    def __init__(self, model: bytes | Path, threads: int) -> None:
        self._model, self._threads = model, threads
        self._session: InferenceSession | None = self._open()
        _sessions.add(self)

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names (None: all). May be called from several threads."""
        outputs: list[np.ndarray] = self.native().run(names, inputs)
        return outputs

    def native(self) -> InferenceSession:
        """The session of this process."""
        session = self._session
        if session is None:
            session = self._session = self._open()
        return session

    def __reduce__(self) -> tuple[object, ...]:
        return OnnxSession, (self._model, self._threads)

    def _open(self) -> InferenceSession:
        onnxruntime = _runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count(self._threads)
        options.log_severity_level = 3  # errors; official files carry harmless warnings
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = self._model if isinstance(self._model, bytes) else str(self._model)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def _leave(self) -> None:
        """Forget the parent's session without ending it, which would wait for threads that are not here."""
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
            self._session = None


_sessions: WeakSet[OnnxSession] = WeakSet()


def thread_count(threads: int) -> int:
    """What ONNX Runtime is told; its own 0 is one per core of the machine, whatever this process may use."""
    cores = usable_cores()
    return cores if threads == 0 and cores < (os.cpu_count() or 1) else threads


def _leave_all() -> None:
    for session in list(_sessions):
        session._leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)


def open_session(model: bytes | Path, *, threads: int = 0) -> OnnxSession:
    """A CPU session. `threads`: 0 for one per usable core. Idle threads sleep instead of spinning."""
    return OnnxSession(model, threads)


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


def matrix_product_session(side: int, *, threads: int) -> OnnxSession:
    """Inputs "a" and "b" (side, side) float32 -> their matrix product: the unit that `mien bench` measures in."""
    # A model file of one node, field by field: the package `onnx`, which could write it, is not needed to predict.
    shape = _field(1, _number(1, side)) * 2
    values = [
        _field(1, name) + _field(2, _field(1, _number(1, 1) + _field(2, shape)))
        for name in (b"a", b"b", b"product")
    ]
    node = _field(1, b"a") + _field(1, b"b") + _field(2, b"product") + _field(4, b"MatMul")
    graph = _field(1, node) + _field(2, b"product") + _field(11, values[0]) + _field(11, values[1])
    graph += _field(12, values[2])
    return OnnxSession(_number(1, 8) + _field(7, graph) + _field(8, _number(2, 13)), threads)


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content
