"""What runs a manifest's network: ONNX Runtime where the manifest has an ONNX file, torch where it has none."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from mien.errors import MissingPackageError
from mien.nn.onnx_session import open_session
from mien.weights.fill import network_of
from mien.weights.manifest import WeightsManifest

Backend = Callable[[np.ndarray], np.ndarray]


def open_backend(manifest: WeightsManifest, *, threads: int = 0) -> Backend:
    """Normalised faces (N, 3, S, S) float32 -> outputs (N, K) float32. May be called from several threads.

    `threads`: 0 for one per core. Torch has one setting for the whole process; 0 leaves it as it is.
    """
    return _onnx(manifest, threads) if manifest.has(".onnx") else _torch(manifest, threads)


def _onnx(manifest: WeightsManifest, threads: int) -> Backend:
    session = open_session(manifest.file(".onnx"), threads=threads)

    def run(faces: np.ndarray) -> np.ndarray:
        return session.run(None, {"faces": faces})[0]

    return run


def _torch(manifest: WeightsManifest, threads: int) -> Backend:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"Weights {manifest.name!r} have no ONNX file (mien export makes one). Running them",
            "torch",
            "train",
        ) from error
    if threads:
        torch.set_num_threads(threads)
    from mien.nn.fold import folded

    network = folded(network_of(manifest))
    loaded_by = os.getpid()

    def run(faces: np.ndarray) -> np.ndarray:
        if os.getpid() != loaded_by:  # torch's threads do not survive a fork: waiting for them would hang
            torch.set_num_threads(1)
        with torch.inference_mode():
            outputs: np.ndarray = network(torch.from_numpy(faces)).numpy()
        return outputs

    return run
