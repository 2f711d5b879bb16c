"""Whether the files of a manifest are complete, fit their network and give the golden output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.arguments import checked
from mien.errors import MienError, MissingPackageError, UnknownNameError, WeightsError
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess
from mien.weights.fill import network_of, read_tensors
from mien.weights.golden import Golden, pattern
from mien.weights.manifest import INT8, WeightsManifest, is_of_form, load_manifest, shipped_names

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class WeightsCheck:
    """One check of some weights."""

    weights: str  # the name in their manifest, or the path that leads to none
    passed: bool | None  # None: skipped, `message` says why
    message: str


@checked
def verify(weights: str | os.PathLike[str] | WeightsManifest | None = None) -> tuple[WeightsCheck, ...]:
    """Check hashes, fit and golden output, by torch and by ONNX Runtime; None: of all weights in the package.

    Weights that cannot be read are a failed check. Raises `UnknownNameError` for a name that no weights have.
    """
    if weights is None:
        return tuple(check for name in shipped_names() for check in verify(name))
    try:
        manifest = weights if isinstance(weights, WeightsManifest) else load_manifest(os.fspath(weights))
    except UnknownNameError:
        raise
    except MienError as error:
        return (WeightsCheck(weights=os.fspath(weights), passed=False, message=str(error)),)  # type: ignore[arg-type]
    return tuple(
        WeightsCheck(weights=manifest.name, passed=passed, message=message) for passed, message in _checks(manifest)
    )


def torch_output(network: nn.Module, inputs: Preprocess) -> np.ndarray:
    """Output of a network in eval mode for the golden pattern; of several maps the last."""
    import torch

    with torch.inference_mode():
        output = network(torch.from_numpy(inputs.normalise(pattern(inputs.size_px)[None])))
    last: np.ndarray = (output[-1] if isinstance(output, tuple) else output).numpy()
    return last


Outcome = tuple[bool | None, str]


def _checks(manifest: WeightsManifest) -> Iterator[Outcome]:
    complete = {}
    for name in manifest.files:
        try:
            manifest.file(name)
            complete[name] = True
            yield True, f"{name} has its SHA-256"
        except WeightsError as error:
            complete[name] = False
            yield False, str(error)
    onnx = _with_onnx(manifest, ".onnx", manifest.golden, "ONNX Runtime")
    int8 = _with_onnx(manifest, INT8, manifest.golden_int8, "ONNX Runtime in int8")
    for suffix, checks, what in (
        (".safetensors", _with_torch(manifest), "fit and torch's output skipped: the safetensors file"),
        (".onnx", onnx, "ONNX Runtime's output skipped: the ONNX file"),
        (INT8, int8, "int8's output skipped: the int8 file"),
    ):
        if manifest.has(suffix):
            if all(passed for name, passed in complete.items() if _needs(suffix, name)):
                yield from checks
            else:
                yield None, f"{what} is not complete"


def _needs(suffix: str, name: str) -> bool:
    """Whether a form needs this file; int8 takes its weights from the ONNX file."""
    return is_of_form(name, suffix) or (suffix == INT8 and is_of_form(name, ".onnx"))


def _with_torch(manifest: WeightsManifest) -> Iterator[Outcome]:
    try:
        if manifest.network == "vit_small":
            yield _fit_of_vit_small(manifest)
            return
        network = network_of(manifest)
    except MissingPackageError as error:
        yield None, f"fit and torch's output skipped: {error}"
        return
    except MienError as error:
        yield False, str(error)
        return
    yield True, f"its {len(network.state_dict())} tensors fit {type(network).__name__}"
    yield _golden(manifest.golden, "torch", torch_output(network, manifest.inputs))


def _fit_of_vit_small(manifest: WeightsManifest) -> Outcome:
    state = read_tensors(manifest)
    from mien.weights.official.apvit import vit_small_shapes

    expected = {key: value.shape for key, value in vit_small_shapes().items()}
    if expected != {key: value.shape for key, value in state.items()}:
        return False, "its tensors are not those of APViT's transformer"
    return True, f"its {len(expected)} tensors fit the transformer of APViT"


def _with_onnx(manifest: WeightsManifest, suffix: str, golden: Golden | None, runner: str) -> Iterator[Outcome]:
    faces = manifest.inputs.normalise(pattern(manifest.inputs.size_px)[None])
    try:
        output = open_session(manifest.file(suffix)).run(None, {"faces": faces})[0]
    except Exception as error:  # ONNX Runtime raises its own kinds, none of them public
        reason = str(error).strip().split("\n")[0]
        yield False, f"{runner} cannot run the file: {reason}"
    else:
        yield _golden(golden, runner, output)


def _golden(golden: Golden | None, runner: str, output: np.ndarray) -> Outcome:
    if golden is None:
        return None, f"{runner}'s output skipped: the manifest has no golden output"
    difference, tolerance = golden.difference(output), golden.tolerance
    passed = difference <= tolerance
    relation = "gives the golden output: largest difference" if passed else "differs from the golden output by"
    return passed, f"{runner} {relation} {difference:.1e}, allowed {tolerance:.0e}"
