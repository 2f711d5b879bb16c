"""Whether the files of a manifest are whole, fit their network and answer as they did when the manifest was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError, MissingPackageError, WeightsError
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess
from mien.weights.fill import network_of, read_tensors
from mien.weights.golden import pattern
from mien.weights.manifest import WeightsManifest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    passed: bool | None  # None: left out, `finding` says why
    finding: str


def verify(manifest: WeightsManifest) -> Iterator[Check]:
    """Every check of one manifest, in order: hashes, fit, golden output by torch and by ONNX Runtime."""
    whole = {}
    for name in manifest.files:
        check = _of_hash(manifest, name)
        whole[name] = check.passed
        yield check
    if manifest.has(".safetensors"):
        if all(passed for name, passed in whole.items() if name.endswith(".safetensors")):
            yield from _with_torch(manifest)
        else:
            yield Check(passed=None, finding="fit and torch's answer left out: the safetensors file is not whole")
    if manifest.has(".onnx"):
        if all(passed for name, passed in whole.items() if name.endswith(".onnx")):
            yield _with_onnx(manifest)
        else:
            yield Check(passed=None, finding="ONNX Runtime's answer left out: the ONNX file is not whole")


def torch_answer(network: nn.Module, inputs: Preprocess) -> np.ndarray:
    """What a network in eval mode answers to the golden pattern; of several maps the last."""
    import torch

    with torch.inference_mode():
        answer = network(torch.from_numpy(inputs.normalise(pattern(inputs.size_px)[None])))
    last = answer[-1] if isinstance(answer, tuple) else answer
    found: np.ndarray = last.numpy()
    return found


def _of_hash(manifest: WeightsManifest, name: str) -> Check:
    try:
        manifest.file(name)
    except WeightsError as error:
        return Check(passed=False, finding=str(error))
    return Check(passed=True, finding=f"{name} has its SHA-256")


def _with_torch(manifest: WeightsManifest) -> Iterator[Check]:
    try:
        if manifest.network == "vit_small":
            yield _of_vit_small(manifest)
            return
        network = network_of(manifest)
    except MissingPackageError as error:
        yield Check(passed=None, finding=f"fit and torch's answer left out: {error}")
        return
    except MienError as error:
        yield Check(passed=False, finding=str(error))
        return
    count = len(network.state_dict())
    yield Check(passed=True, finding=f"its {count} tensors fit {type(network).__name__}")
    yield _of_answer(manifest, "torch", torch_answer(network, manifest.inputs))


def _of_vit_small(manifest: WeightsManifest) -> Check:
    state = read_tensors(manifest)
    from mien.weights.convert.apvit import vit_small_shapes

    wanted = {key: value.shape for key, value in vit_small_shapes().items()}
    if wanted != {key: value.shape for key, value in state.items()}:
        return Check(passed=False, finding="its tensors are not those of APViT's transformer")
    return Check(passed=True, finding=f"its {len(wanted)} tensors fit the transformer of APViT")


def _with_onnx(manifest: WeightsManifest) -> Check:
    faces = manifest.inputs.normalise(pattern(manifest.inputs.size_px)[None])
    try:
        answer = open_session(manifest.file(".onnx")).run(None, {"faces": faces})[0]
    except Exception as error:  # ONNX Runtime raises its own kinds, none of them public
        reason = str(error).strip().split("\n")[0]
        return Check(passed=False, finding=f"ONNX Runtime cannot run the ONNX file: {reason}")
    return _of_answer(manifest, "ONNX Runtime", answer)


def _of_answer(manifest: WeightsManifest, runner: str, answer: np.ndarray) -> Check:
    if manifest.golden is None:
        return Check(passed=None, finding=f"{runner}'s answer left out: the manifest holds no golden output")
    difference, tolerance = manifest.golden.difference(answer), manifest.golden.tolerance
    return Check(
        passed=difference <= tolerance,
        finding=f"{runner} gives the golden output: largest difference {difference:.1e}, allowed {tolerance:.0e}"
        if difference <= tolerance
        else f"{runner} differs from the golden output by {difference:.1e}, allowed {tolerance:.0e}",
    )
