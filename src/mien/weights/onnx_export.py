"""Torch networks as ONNX: prediction then needs no torch. A file is written only if it gives torch's outputs."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MissingPackageError, OptionError, OutputError, WeightsError
from mien.media.atomic import atomic_write
from mien.media.work import Progress, no_progress
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess
from mien.weights.fill import network_of
from mien.weights.manifest import PARTS, SHIPPED, WeightsManifest, keep_held_out, load_manifest, write_manifest
from mien.weights.parity import parity_faces

if TYPE_CHECKING:
    from torch import nn

TOLERANCE = 1e-4  # largest difference of the outputs to those of torch


def export_weights(
    weights: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> WeightsManifest:
    """Export weights to ONNX; returns the manifest that names the new file.

    `weights`: the folder of a training run, or whatever `load_network` takes. Without `out` the ONNX file is
    written beside the safetensors file and added to its manifest; with it, to `out`, NAME.onnx, with a manifest
    NAME.json of its own. `progress` counts three steps: load, export, check. Raises `WeightsError` where ONNX
    Runtime does not give torch's outputs, `OptionError` for weights that cannot be exported, `OutputError` where
    nothing can be written.
    """
    progress = progress or no_progress
    manifest = load_manifest(os.fspath(weights))
    if manifest.network in PARTS:
        raise OptionError(f"weights {manifest.name!r} are {PARTS[manifest.network]}; parts have no ONNX form")
    path = _target(manifest, out)
    check_exporter()
    progress(0, 3)
    network = network_of(manifest)
    progress(1, 3)
    export_onnx_of(manifest, network, path, progress=lambda done, total: progress(1 + done, 3))
    if out is None:
        return write_manifest(replace(manifest, files=manifest.files | {path.name: ""}))
    target = path.with_suffix(".json")
    exported = replace(manifest, name=path.stem, files={path.name: ""}, folder=target.parent, filename=target.name)
    keep_held_out(manifest, exported)
    return write_manifest(exported)


def export_onnx_of(
    manifest: WeightsManifest, network: nn.Module, path: Path, *, progress: Progress = no_progress
) -> None:
    """`export_onnx` of the network of a manifest, with its inputs and the name of its output."""
    export_onnx(
        network,
        path,
        size_px=manifest.inputs.size_px,
        inputs=manifest.inputs,
        output="logits" if manifest.labels is not None else "points",
        multiple_px=32 if manifest.network == "yunet" else None,
        progress=progress,
    )


def export_onnx(
    network: nn.Module,
    path: Path,
    *,
    size_px: int,
    output: str,
    inputs: Preprocess | None = None,
    multiple_px: int | None = None,
    progress: Progress = no_progress,
) -> float:
    """Write `network` as ONNX with any batch size: input "faces" (B, 3, S, S) float32, one output.

    With `multiple_px` height and width vary too, each a multiple of it (at least two). ONNX Runtime runs the file
    on noise in two batch sizes and, with `inputs`, on the real faces of `parity_faces`; returns the largest
    difference to torch. Raises `WeightsError`, and writes nothing, where it exceeds `TOLERANCE`.
    """
    import torch

    network = network.eval().cpu()
    shapes: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=4096)}
    if multiple_px:
        sides = ((2, "h"), (3, "w"))
        shapes |= {axis: multiple_px * torch.export.Dim(name, min=2, max=512) for axis, name in sides}
    with quiet():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, size_px, size_px),),
            dynamo=True,
            input_names=["faces"],
            output_names=[output],
            dynamic_shapes=(shapes,),
            verbose=False,
        )
    if program is None:
        raise WeightsError(f"{path}: torch gave no ONNX program; nothing is written")
    data = _without_traces(program.model_proto).SerializeToString()
    progress(1, 2)
    difference, worst = _largest_difference(network, data, size_px, inputs, multiple_px)
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"{path}: ONNX differs from torch by {difference:.2g} on {worst}, more than {TOLERANCE:.2g}; "
            "nothing is written"
        )
    try:
        atomic_write(path, data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    progress(2, 2)
    return difference


def _largest_difference(
    network: nn.Module, model: bytes, size_px: int, inputs: Preprocess | None, multiple_px: int | None
) -> tuple[float, str]:
    """Between torch and ONNX Runtime, over noise and real faces, and on which of them; NaN is the largest."""
    import torch

    session = open_session(model, threads=1)
    generator = torch.Generator().manual_seed(0)
    batches = {
        f"{count} of noise": torch.randn(
            count, 3, size_px, size_px + (multiple_px or 0) * count, generator=generator
        )
        for count in (1, 5)
    }
    if inputs is not None:
        batches["real faces"] = torch.from_numpy(parity_faces(replace(inputs, size_px=size_px)))
    differences = {}
    for name, x in batches.items():
        with torch.inference_mode():
            expected = network(x).numpy()
        outputs = session.run(None, {"faces": x.numpy()})[0]
        differences[name] = float(np.abs(outputs - expected).max())
    worst = max(differences, key=lambda name: math.inf if math.isnan(differences[name]) else differences[name])
    return differences[worst], worst


def check_exporter() -> None:
    """Raise `MissingPackageError` where torch's exporter would not find what it needs."""
    for package in ("torch", "onnxscript"):
        if find_spec(package) is None:
            raise MissingPackageError("Writing ONNX", package, "train")


def _target(manifest: WeightsManifest, out: str | os.PathLike[str] | None) -> Path:
    """Where the ONNX file goes; refused before the work where it cannot be written."""
    if out is None:
        if SHIPPED in manifest.path.parents:
            raise OptionError(f"weights {manifest.name!r} are in the package; name another file with out (--out)")
        return manifest.file(".safetensors").with_suffix(".onnx")
    path = Path(out)
    if path.suffix != ".onnx":
        raise OptionError(f"{path}: the name must end in .onnx")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if there := [str(file) for file in (path, path.with_suffix(".json")) if file.exists()]:
        raise OutputError(f"{', '.join(there)}: there already; choose another name")
    return path


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that we do not use."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _without_traces(model: Any) -> Any:
    """The model without the exporter's metadata: file paths and stack traces of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model
