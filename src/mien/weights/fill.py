"""Weights files into torch networks. The only place that does so; it is strict."""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from mien.errors import MissingPackage, WeightsError
from mien.models import configure
from mien.weights.record import PARTS, WeightsRecord, load_record

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_network(weights: str | os.PathLike[str]) -> nn.Module:
    """The torch network of a weights record in eval mode; its `record` is the record.

    `weights`: a name of shipped weights, a folder with a `record.json`, or a safetensors file with its record
    beside it. Fed with `network.record.inputs.normalise(crops)`, (B, 3, S, S) float32. Raises `WeightsError`
    where file and network differ, `MissingPackage` without torch.
    """
    return network_of(load_record(os.fspath(weights)))


def network_of(record: WeightsRecord) -> nn.Module:
    """As `load_network`, from a record that is loaded already."""
    state = read_tensors(record)
    network = empty_network(record)
    fill(network, state, source=f"{record.path}: the safetensors file")
    network.record = record  # type: ignore[assignment]  # torch's stubs want tensors and modules
    return network.eval()


def empty_network(record: WeightsRecord) -> nn.Module:
    """The network of a record before its weights are in it."""
    if record.network == "vit_small":
        raise WeightsError(
            f"weights {record.name!r} are {PARTS['vit_small']}, which does not run alone: "
            "build('apvit') and load their tensors into it"
        )
    if record.network == "ir50":
        from mien.nn.iresnet import IR50

        return IR50()
    if record.network == "densenet":
        from mien.nn.densenet import DenseNet, DenseNetConfig

        return DenseNet(_config(DenseNetConfig, record.config))
    network_class, published = configure(record.network)
    network: nn.Module = network_class(_config(type(published), record.config))
    return network


def read_tensors(record: WeightsRecord) -> dict[str, Tensor]:
    """The tensors of a record's safetensors file, whose hash is checked; halves become floats."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingPackage("A network as a torch module", error.name or "torch", "train") from error

    file = record.file(".safetensors")
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
    network.load_state_dict(state)


def _config(config_class: type, values: dict[str, Any]) -> Any:
    """A frozen config from the plain values of a record."""
    hints = get_type_hints(config_class)
    known = {field.name for field in fields(config_class)}
    if unknown := values.keys() - known:
        raise WeightsError(f"the record has sizes that {config_class.__name__} does not know: {', '.join(unknown)}")
    return config_class(
        **{
            name: _config(hints[name], value)
            if is_dataclass(hints[name])
            else tuple(value)
            if isinstance(value, list)
            else value
            for name, value in values.items()
        }
    )
