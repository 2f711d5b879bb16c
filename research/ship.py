"""Weights of a finished run as files: safetensors with its manifest, and for the package also ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from mien.errors import WeightsError
from mien.media.atomic import atomic_write
from mien.nn.onnx_session import open_session
from mien.pipeline.classifier import calibrated
from mien.weights.fill import load_network
from mien.weights.golden import Golden
from mien.weights.half_precision import with_half_weights
from mien.weights.manifest import SHIPPED, WeightsManifest, write_manifest
from mien.weights.onnx_export import export_onnx
from mien.weights.verify import torch_output
from research.borrow import borrowed_tensors

HALF_TOLERANCE = 1e-3  # of a probability
HALF_LOGIT_TOLERANCE = 0.01  # of the golden output, a logit
LEAST_VALUES = (4096, 16384, 65536)  # of a tensor in half precision: the first that keeps the tolerance


def write_tensors(manifest: WeightsManifest, state: Mapping[str, Tensor], folder: Path) -> WeightsManifest:
    """Write NAME.safetensors and its manifest, whose files and golden values are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{manifest.name}.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    path.chmod(0o644)
    written = write_manifest(
        replace(manifest, folder=folder, filename="manifest.json", files={path.name: ""}, golden=None)
    )
    golden = Golden.of(torch_output(load_network(folder), manifest.inputs))
    return write_manifest(replace(written, golden=golden))


def ship(
    manifest: WeightsManifest,
    state: Mapping[str, Tensor],
    *,
    output: str,
    half: bool = True,
    multiple_px: int | None = None,
    out: Path | None = None,
    faces: np.ndarray | None = None,
    borrow: bool = False,
) -> None:
    """Write safetensors, ONNX and manifest of the weights `manifest.name` into the package, or the folder `out`.

    `half`: store half-precision numbers, which both files then compute with. `output`: name of the ONNX output.
    `multiple_px`: the ONNX file takes any size that is a multiple of it. `faces` (N, 3, S, S), normalised: the ONNX
    file stores half precision as well, and every probability of these faces must stay within `HALF_TOLERANCE`.
    `borrow`: the ONNX file takes from the safetensors file what both hold, and is no use without it.
    """
    folder = out or SHIPPED / manifest.name
    stored = {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}
    written = write_tensors(manifest, stored, folder)
    onnx, size_px = folder / f"{manifest.name}.onnx", manifest.inputs.size_px
    difference = export_onnx(load_network(folder), onnx, size_px=size_px, output=output, multiple_px=multiple_px)
    print(f"ONNX differs from torch by {difference:.1e}")
    if faces is not None:
        assert written.golden is not None
        written = replace(written, golden=replace(written.golden, tolerance=HALF_LOGIT_TOLERANCE))
        print(f"half-precision ONNX moves probabilities by at most {_halve(onnx, faces):.1e}")
    if borrow:
        onnx.write_bytes(borrowed_tensors(onnx.read_bytes(), onnx.with_suffix(".safetensors")))
    write_manifest(replace(written, files={onnx.name: "", **written.files}))


def _halve(path: Path, faces: np.ndarray) -> float:
    """Store the weights of an ONNX file in half precision; returns the largest change of a probability."""
    before, difference = path.read_bytes(), float("inf")

    def probabilities(model: bytes) -> np.ndarray:
        return calibrated(open_session(model, threads=1).run(None, {"faces": faces})[0], 1.0, np.zeros(1))

    expected = probabilities(before)
    for least_values in LEAST_VALUES:
        after = with_half_weights(before, least_values=least_values)
        difference = float(np.abs(probabilities(after) - expected).max())
        if difference <= HALF_TOLERANCE:
            atomic_write(path, after)
            return difference
    raise WeightsError(f"{path}: half precision moves a probability by {difference:.1e}")
