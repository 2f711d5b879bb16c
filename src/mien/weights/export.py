"""A torch network as ONNX, checked against itself before the file is kept."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mien.errors import MienError, MissingPackageError, OptionError, OutputError
from mien.media.atomic import atomic_write
from mien.nn.onnx_session import open_session
from mien.weights.fill import network_of
from mien.weights.manifest import PARTS, WeightsManifest, write_manifest


class ExportError(MienError):
    """The exported file does not compute what the network computes."""


def export_onnx(
    network: nn.Module,
    path: Path,
    *,
    size_px: int,
    output: str,
    multiple_px: int | None = None,
    tolerance: float = 1e-4,
) -> float:
    """Write `network` as ONNX with any batch size: input "faces" (B, 3, S, S) float32, one output.

    With `multiple_px` height and width are open too, each a multiple of it (at least two).
    The file is run by ONNX Runtime on random faces, two batch sizes; returns the largest difference to
    torch and raises `ExportError`, leaving no file, where it exceeds `tolerance`.
    """
    network = network.eval().cpu()
    example = torch.zeros(2, 3, size_px, size_px)
    shapes: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=4096)}
    if multiple_px:
        shapes |= {
            axis: multiple_px * torch.export.Dim(name, min=2, max=512) for axis, name in ((2, "h"), (3, "w"))
        }
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        input_names=["faces"],
        output_names=[output],
        dynamic_shapes=(shapes,),
        verbose=False,
    )
    if program is None:
        raise ExportError(f"{path}: torch gave no ONNX program; not kept")
    data = _without_traces(program.model_proto).SerializeToString()
    session = open_session(data, threads=1)
    difference = 0.0
    generator = torch.Generator().manual_seed(0)
    for count in (1, 5):
        wide = size_px + (multiple_px or 0) * count
        x = torch.randn(count, 3, size_px, wide, generator=generator)
        with torch.inference_mode():
            wanted = network(x).numpy()
        found = session.run(None, {"faces": x.numpy()})[0]
        difference = max(difference, float(np.abs(found - wanted).max()))
    if not difference <= tolerance:
        raise ExportError(
            f"{path}: ONNX differs from torch by {difference:.2g}, more than {tolerance:.2g}; not kept"
        )
    atomic_write(path, data)
    return difference


def check_exporter() -> None:
    """Raise `MissingPackageError` where torch's exporter would not find what it needs."""
    if find_spec("onnxscript") is None:
        raise MissingPackageError("Writing ONNX", "onnxscript", "train")


def add_onnx(manifest: WeightsManifest) -> WeightsManifest:
    """Write the ONNX form of a converted manifest beside its safetensors file, and the manifest with it.

    Prediction then needs no torch. Raises `ExportError` where ONNX Runtime does not give torch's answer.
    """
    check_exporter()
    path = manifest.path.with_suffix(".onnx")
    output = "logits" if manifest.labels is not None else "points"
    if manifest.network in PARTS:
        raise OptionError(f"weights {manifest.name!r} are {PARTS[manifest.network]}; parts have no ONNX form")
    with _quiet():
        try:
            export_onnx(network_of(manifest), path, size_px=manifest.inputs.size_px, output=output)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return write_manifest(replace(manifest, files=manifest.files | {path.name: ""}))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages we do not use."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _without_traces(model: Any) -> Any:
    """The model without the exporter's notes, which hold file paths and stack traces of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
