"""A torch network as ONNX, checked against itself before the file is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mien.errors import MienError
from mien.nn.onnx_session import open_session


class ExportError(MienError):
    """The exported file does not compute what the network computes."""


def export_onnx(network: nn.Module, path: Path, *, size_px: int, output: str, tolerance: float = 1e-4) -> float:
    """Write `network` as ONNX with any batch size: input "faces" (B, 3, S, S) float32, one output.

    The file is run by ONNX Runtime on random faces, two batch sizes; returns the largest difference to
    torch and raises `ExportError`, leaving no file, where it exceeds `tolerance`.
    """
    network = network.eval().cpu()
    example = torch.zeros(2, 3, size_px, size_px)
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        input_names=["faces"],
        output_names=[output],
        dynamic_shapes=({0: batch},),
        verbose=False,
    )
    if program is None:
        raise ExportError(f"{path}: torch gave no ONNX program; not kept")
    data = _without_traces(program.model_proto).SerializeToString()
    session = open_session(data, threads=1)
    difference = 0.0
    generator = torch.Generator().manual_seed(0)
    for count in (1, 5):
        x = torch.randn(count, 3, size_px, size_px, generator=generator)
        with torch.inference_mode():
            wanted = network(x).numpy()
        found = session.run(None, {"faces": x.numpy()})[0]
        difference = max(difference, float(np.abs(found - wanted).max()))
    if not difference <= tolerance:
        raise ExportError(
            f"{path}: ONNX differs from torch by {difference:.2g}, more than {tolerance:.2g}; not kept"
        )
    path.write_bytes(data)
    return difference


def _without_traces(model: Any) -> Any:
    """The model without the exporter's notes, which hold file paths and stack traces of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
