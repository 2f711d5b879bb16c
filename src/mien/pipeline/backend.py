"""What runs a manifest's network: ONNX Runtime where the manifest has an ONNX file, torch where it has none."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.errors import MissingPackageError, OptionError
from mien.pipeline.precision import open_precise
from mien.weights.fill import network_of
from mien.weights.manifest import WeightsManifest


@dataclass(frozen=True, eq=False)
class Backend:
    """Normalised faces (N, 3, S, S) float32 -> outputs (N, K) float32. May be called from several threads."""

    run: Callable[[np.ndarray], np.ndarray]
    precision: str = "float32"  # or "int8"

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """The outputs."""
        return self.run(faces)


def open_backend(manifest: WeightsManifest, *, threads: int = 0, precision: str = "float32") -> Backend:
    """What runs the network. `precision`: of ONNX Runtime, see `open_precise`; torch has "float32" only.

    `threads`: 0 for one per core. Torch has one setting for the whole process; 0 leaves it as it is.
    """
    if manifest.has(".onnx"):
        return _onnx(manifest, threads, precision)
    if precision == "int8":
        raise OptionError(f"weights {manifest.name!r} have no ONNX file; mien export makes one, also in int8")
    return Backend(_torch(manifest, threads))


def _onnx(manifest: WeightsManifest, threads: int, precision: str) -> Backend:
    session, chosen = open_precise(manifest, threads=threads, precision=precision)

    def run(faces: np.ndarray) -> np.ndarray:
        return session.run(None, {"faces": faces})[0]

    return Backend(run, chosen)


def _torch(manifest: WeightsManifest, threads: int) -> Callable[[np.ndarray], np.ndarray]:
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
