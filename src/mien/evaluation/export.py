"""Weights in other precisions and formats: accepted only if they agree on real faces, with their cost stated."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.arguments import checked
from mien.errors import MissingPackageError, OptionError, OutputError, UnknownNameError, WeightsError
from mien.media.atomic import atomic_write
from mien.media.work import Progress, no_progress
from mien.nn.onnx_session import open_session
from mien.prepared.store import PreparedStore
from mien.weights.fill import network_of
from mien.weights.half_precision import with_half_weights
from mien.weights.manifest import PARTS, WeightsManifest, keep_held_out, load_manifest, write_manifest
from mien.weights.onnx_export import check_exporter, export_onnx_of, export_weights, quiet
from mien.weights.parity import parity_faces
from mien.weights.quantise import quantised

if TYPE_CHECKING:
    from torch import nn

Run = Callable[[np.ndarray], np.ndarray]

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2"}
LIMITS = {"fp32": 1e-3, "fp16": 0.02, "int8": 0.2}  # largest difference to torch, in shares of the outputs' range
CALIBRATION = 128  # faces of the prepared set that set the ranges of int8
BATCH = 32


@checked
def export(
    weights: str | os.PathLike[str],
    *,
    to: str = "onnx",
    precision: str = "fp32",
    out: str | os.PathLike[str] | None = None,
    prepared: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> WeightsManifest:
    """Export weights to a file for other runtimes or in another precision; returns the manifest that names it.

    `weights`: the folder of a training run, or whatever `load_network` takes. `to`: "onnx"; "openvino" (OUT.xml and
    OUT.bin, the extra `openvino`); "torch-export" (OUT.pt2). `precision`: "fp32"; "fp16", stored so and computed in
    single precision; "int8", calibrated on faces of `prepared`, the last layer and attention in single precision.
    `out`: the file, with a manifest beside it; may be left out for ONNX in fp32, which then goes beside the
    safetensors file. `prepared`: a prepared set, on which the accuracy lost is measured and written into the
    manifest. `progress` counts three steps: load, export, check.

    Every form takes any batch size and is accepted only if its outputs on real faces are those of torch within
    `LIMITS`. Raises `WeightsError` where they are not, `OptionError` for what cannot be exported, `OutputError`
    where nothing can be written.
    """
    _check(to, precision, prepared)
    if (to, precision, prepared) == ("onnx", "fp32", None):
        return export_weights(weights, out=out, progress=progress)
    progress = progress or no_progress
    manifest = load_manifest(os.fspath(weights))
    if manifest.network in PARTS:
        raise OptionError(f"weights {manifest.name!r} are {PARTS[manifest.network]}; parts are not exported")
    if out is None:
        raise OptionError("name the file with out (--out)")
    path = _target(Path(out), SUFFIXES[to])
    store = None if prepared is None else PreparedStore(prepared)
    progress(0, 3)
    network = network_of(manifest)
    progress(1, 3)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        run = _MAKERS[to](network, manifest, made, precision, store)
        progress(2, 3)
        difference = _parity(network, manifest, run, precision, path)
        stated: dict[str, Any] = {"to": to, "precision": precision, "largest_difference": round(difference, 5)}
        if store is not None and manifest.labels is not None:
            stated |= _accuracy_lost(manifest, network, run, store)
        files = [made, *([made.with_suffix(".bin")] if to == "openvino" else [])]
        for file in files:
            atomic_write(path.parent / file.name, file.read_bytes())
    progress(3, 3)
    target = path.with_suffix(".json")
    exported = replace(
        manifest, name=path.stem, files={file.name: "" for file in files}, folder=target.parent, golden=None,
        golden_int8=None, filename=target.name, measured=manifest.measured | {"export": stated},
    )  # fmt: skip
    keep_held_out(manifest, exported)
    return write_manifest(exported)


def _check(to: str, precision: str, prepared: object) -> None:
    if to not in SUFFIXES:
        raise UnknownNameError("export format", to, SUFFIXES)
    if precision not in LIMITS:
        raise UnknownNameError("precision", precision, LIMITS)
    if precision == "int8" and to == "torch-export":
        raise OptionError("torch-export has no int8 here; take --to onnx or --to openvino")
    if precision == "int8" and prepared is None:
        raise OptionError("int8 is calibrated on real faces; give a prepared set (--prepared, mien data prepare)")
    if to == "openvino" and find_spec("openvino") is None:
        raise MissingPackageError("Writing OpenVINO", "openvino", "openvino")
    check_exporter()


def _target(path: Path, suffix: str) -> Path:
    if path.suffix != suffix:
        raise OptionError(f"{path}: the name must end in {suffix}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")
    beside = [path, path.with_suffix(".json"), *([path.with_suffix(".bin")] if suffix == ".xml" else [])]
    if there := [str(file) for file in beside if file.exists()]:
        raise OutputError(f"{', '.join(there)}: there already; choose another name")
    return path


def _onnx(
    network: nn.Module, manifest: WeightsManifest, path: Path, precision: str, store: PreparedStore | None
) -> Run:
    single = path.with_name("single.onnx")
    export_onnx_of(manifest, network, single)
    model = single.read_bytes()
    if precision == "fp16":
        model = with_half_weights(model)
    elif store is not None and precision == "int8":
        rows = np.unique(np.linspace(0, len(store) - 1, CALIBRATION).astype(int))
        faces = store.aligned(rows, manifest.inputs.size_px)
        model = quantised(model, manifest.inputs.normalise(faces))
    path.write_bytes(model)
    session = open_session(model, threads=1)
    return lambda faces: session.run(None, {"faces": faces})[0]


def _openvino(
    network: nn.Module, manifest: WeightsManifest, path: Path, precision: str, store: PreparedStore | None
) -> Run:
    import openvino

    onnx = path.with_suffix(".onnx")
    _onnx(network, manifest, onnx, "int8" if precision == "int8" else "fp32", store)
    openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=precision == "fp16")
    single = {"INFERENCE_PRECISION_HINT": "f32"}  # else a processor with bfloat16 would compute in it
    compiled = openvino.Core().compile_model(path, "CPU", single)
    return lambda faces: np.array(compiled(faces)[0])


def _torch_export(
    network: nn.Module, manifest: WeightsManifest, path: Path, precision: str, store: PreparedStore | None
) -> Run:
    import torch

    faces = torch.zeros(2, 3, manifest.inputs.size_px, manifest.inputs.size_px)
    network = network.eval()
    if precision == "fp16":
        from copy import deepcopy

        network, faces = deepcopy(network).half(), faces.half()
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    with quiet(), torch.no_grad():
        program = torch.export.export(network, (faces,), dynamic_shapes=(batch,))
        torch.export.save(program, path)
        module = torch.export.load(path).module()

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            outputs: np.ndarray = module(torch.from_numpy(x).to(faces.dtype)).float().numpy()
        return outputs

    return run


_MAKERS = {"onnx": _onnx, "openvino": _openvino, "torch-export": _torch_export}


def _parity(network: nn.Module, manifest: WeightsManifest, run: Run, precision: str, path: Path) -> float:
    """The largest difference to torch on eight real faces, and on one of them alone, in shares of the range."""
    import torch

    faces = parity_faces(manifest.inputs)
    with torch.inference_mode():
        expected = network(torch.from_numpy(faces)).numpy()
    scale = max(1e-6, float(expected.max() - expected.min()))
    together = float(np.abs(run(faces) - expected).max())
    alone = float(np.abs(run(faces[:1]) - expected[:1]).max()) if manifest.network != "yunet" else 0.0
    difference = max(together, alone) / scale
    if not difference <= LIMITS[precision]:
        raise WeightsError(
            f"{path}: {precision} differs from torch by {difference:.2g} of the outputs' range on real faces, more "
            f"than {LIMITS[precision]:g}; nothing is written"
        )
    return difference


def _accuracy_lost(manifest: WeightsManifest, network: nn.Module, run: Run, store: PreparedStore) -> dict[str, Any]:
    """Accuracy of torch and of the file on the labelled faces of a set, in the classes that both have."""
    import torch

    known = [name for name in store.labels if name in manifest.label_set]
    classes = np.array([manifest.label_set.index(name) if name in known else -1 for name in store.labels])
    label = store.label
    rows = np.flatnonzero((label >= 0) & (classes[label] >= 0))
    if not len(rows):
        raise OptionError(f"{store.folder} has no face of a class of {manifest.name!r}; give another prepared set")
    allowed, truth = np.sort(classes[classes >= 0]), classes[label[rows]]
    right = {"torch": 0, "file": 0, "same": 0}
    for part in np.array_split(np.arange(len(rows)), -(-len(rows) // BATCH)):
        x = manifest.inputs.normalise(store.aligned(rows[part], manifest.inputs.size_px))
        with torch.inference_mode():
            first = allowed[network(torch.from_numpy(x)).numpy()[:, allowed].argmax(axis=1)]
        second = allowed[run(x)[:, allowed].argmax(axis=1)]
        right["torch"] += int((first == truth[part]).sum())
        right["file"] += int((second == truth[part]).sum())
        right["same"] += int((first == second).sum())
    shares = {name: round(count / len(rows), 4) for name, count in right.items()}
    return {
        "set": store.title,
        "images": len(rows),
        "accuracy_torch": shares["torch"],
        "accuracy_file": shares["file"],
        "accuracy_lost": round(shares["torch"] - shares["file"], 4),
        "same_prediction": shares["same"],
    }
