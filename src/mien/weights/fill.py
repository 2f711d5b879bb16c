"""Weights files into torch networks. The only place that does so; it is strict."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from safetensors.torch import load_file
from torch import Tensor, nn

from mien.errors import WeightsError
from mien.models import configure
from mien.weights.record import load_record


def load_network(name: str) -> nn.Module:
    """The torch network of shipped weights, or of a folder with a `record.json`, in eval mode.

    Fed with `record.inputs.normalise(...)`, (B, 3, S, S). Raises `WeightsError` where file and network differ.
    """
    record = load_record(name)
    network_class, published = configure(record.network)
    network = network_class(_config(type(published), record.config))
    file = record.file(".safetensors")
    state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(file).items()}
    fill(network, state, source=str(file))
    return network.eval()


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
