"""Weights files into torch networks, strictly: everything fits, or nothing is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from mien.arguments import checked
from mien.errors import MissingPackageError, WeightsError
from mien.models import configure
from mien.schema import convert
from mien.weights.manifest import PARTS, WeightsManifest, load_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")


@checked
def load_network(weights: str | os.PathLike[str]) -> nn.Module:
    """The torch network of a weights manifest in eval mode; its `manifest` is the manifest.

    `weights`: a name of shipped weights, a folder with a `manifest.json`, or a safetensors file with its manifest
    beside it. Fed with `network.manifest.inputs.normalise(crops)`, (B, 3, S, S) float32. Raises `WeightsError`
    where file and network differ, `MissingPackageError` without torch.
    """
    return network_of(load_manifest(os.fspath(weights)))


def network_of(manifest: WeightsManifest) -> nn.Module:
    """As `load_network`, from a manifest that is loaded already."""
    state = read_tensors(manifest)
    network = empty_network(manifest)
    fill(network, state, source=f"{manifest.path}: the safetensors file")
    network.manifest = manifest  # type: ignore[assignment]  # torch's stubs want tensors and modules
    return network.eval()


def empty_network(manifest: WeightsManifest) -> nn.Module:
    """The network of a manifest before its weights are in it."""
    if manifest.network == "vit_small":
        raise WeightsError(
            f"weights {manifest.name!r} are {PARTS['vit_small']}, which does not run alone: "
            "build('apvit') and load their tensors into it"
        )
    if manifest.network == "ir50":
        from mien.nn.iresnet import IR50

        return IR50()
    if manifest.network == "densenet":
        from mien.nn.densenet import DenseNet, DenseNetConfig

        return DenseNet(_config(manifest, DenseNetConfig))
    network: nn.Module = _config(manifest, type(configure(manifest.network))).build()
    return network


def read_tensors(manifest: WeightsManifest) -> dict[str, Tensor]:
    """The tensors of a manifest's safetensors file, whose hash is checked; half precision becomes float32."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingPackageError("A network as a torch module", error.name or "torch", "train") from error

    file = manifest.file(".safetensors")
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read as safetensors: {error}") from error
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def fill(network: nn.Module, state: dict[str, Tensor], *, source: str) -> None:
    """Copy `state` into `network`; `source` names the file in messages. Anything that does not fit is refused."""
    own = network.state_dict()
    reasons = [f"missing   {key}" for key in own.keys() - state.keys()]
    reasons += [f"unknown   {key}" for key in state.keys() - own.keys()]
    reasons += [
        f"shape     {key}: file {tuple(state[key].shape)}, network {tuple(own[key].shape)}"
        for key in own.keys() & state.keys()
        if state[key].shape != own[key].shape
    ]
    if reasons:
        listing = "\n  ".join(sorted(reasons))
        raise WeightsError(f"{source} does not fit {type(network).__name__}:\n  {listing}")
    check_finite(state, source=source)
    network.load_state_dict(state)


def check_finite(state: dict[str, Tensor], *, source: str) -> None:
    """Raise `WeightsError` for tensors that hold NaN or infinity."""
    if broken := [name for name, value in state.items() if not value.isfinite().all()]:
        raise WeightsError(f"{source} holds NaN or infinity in {len(broken)} tensors, {broken[0]} first")


def _config(manifest: WeightsManifest, config_class: type[T]) -> T:
    """A frozen config from the plain values of a manifest."""
    try:
        return convert(manifest.config, config_class)
    except ValueError as error:
        raise WeightsError(
            f"{manifest.path}: config does not fit {config_class.__name__}: {error}; see docs/concepts/weights.md"
        ) from error
