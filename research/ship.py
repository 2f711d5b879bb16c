"""Weights of a finished run as files: safetensors with its manifest, and for the package also ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from mien.weights.export import export_onnx
from mien.weights.fill import load_network
from mien.weights.golden import Golden
from mien.weights.manifest import SHIPPED, WeightsManifest, write_manifest
from mien.weights.verify import torch_output


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
) -> None:
    """Write safetensors, ONNX and manifest of the weights `manifest.name` into the package, or the folder `out`.

    `half`: store half-precision numbers, which both files then compute with. `output`: name of the ONNX output.
    `multiple_px`: the ONNX file takes any size that is a multiple of it.
    """
    folder = out or SHIPPED / manifest.name
    stored = {name: value.half() if half and value.is_floating_point() else value for name, value in state.items()}
    written = write_tensors(manifest, stored, folder)
    onnx, size_px = folder / f"{manifest.name}.onnx", manifest.inputs.size_px
    difference = export_onnx(load_network(folder), onnx, size_px=size_px, output=output, multiple_px=multiple_px)
    print(f"ONNX differs from torch by {difference:.1e}")
    write_manifest(replace(written, files={onnx.name: "", **written.files}))
