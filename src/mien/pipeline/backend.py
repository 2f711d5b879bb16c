"""What runs a record's network: ONNX Runtime where the record has an ONNX file, torch where it has none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mien.errors import MissingPackage
from mien.nn.onnx_session import open_session
from mien.weights.fill import network_of
from mien.weights.record import WeightsRecord

Backend = Callable[[np.ndarray], np.ndarray]


def open_backend(record: WeightsRecord, *, threads: int = 0) -> Backend:
    """Normalised faces (N, 3, S, S) float32 -> outputs (N, K) float32. May be called from several threads.

    `threads`: 0 for one per core. Torch has one setting for the whole process; 0 leaves it as it is.
    """
    return _onnx(record, threads) if record.has(".onnx") else _torch(record, threads)


def _onnx(record: WeightsRecord, threads: int) -> Backend:
    session = open_session(record.file(".onnx"), threads=threads)

    def run(faces: np.ndarray) -> np.ndarray:
        outputs: np.ndarray = session.run(None, {"faces": faces})[0]
        return outputs

    return run


def _torch(record: WeightsRecord, threads: int) -> Backend:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"Weights {record.name!r} have no ONNX file (mien weights convert --onnx makes one). Running them",
            "torch",
            "train",
        ) from error
    if threads:
        torch.set_num_threads(threads)
    from mien.nn.fold import folded

    network = folded(network_of(record))

    def run(faces: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            outputs: np.ndarray = network(torch.from_numpy(faces)).numpy()
        return outputs

    return run
