"""How an official file is laid out, and the one function that moves its tensors into our names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import WeightsError

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The tensors of an official file by official name."""

    shapes: Shapes  # of the tensors that the network uses
    targets: dict[str, tuple[str, int | None]]  # official name -> ours, and the row where ours stacks two
    dead: tuple[Shapes, ...]  # groups that never run in the official code; a file has all of a group or none


def layout_of(own: Mapping[str, Tensor], names: Callable[[str], tuple[str, ...]], dead: Sequence[Shapes]) -> Layout:
    """`own` is our state dict (its shapes count), `names` gives the official name or two of each of ours."""
    shapes: Shapes = {}
    targets: dict[str, tuple[str, int | None]] = {}
    for key, value in own.items():
        official = names(key)
        for row, name in enumerate(official):
            shapes[name] = tuple(value.shape if len(official) == 1 else value.shape[1:])
            targets[name] = key, None if len(official) == 1 else row
    return Layout(shapes=shapes, targets=targets, dead=tuple(dead))


def shapes_of(network: Callable[[Any], nn.Module], config: Any) -> State:
    """The state dict of a network of this config, without its numbers."""
    with torch.device("meta"):
        return network(config).state_dict()


def move(state: Mapping[str, Any], layout: Layout, *, source: str) -> State:
    """Official tensors -> ours. Raises `WeightsError` with everything missing, unknown or misshapen."""
    expected = dict(layout.shapes)
    for group in layout.dead:
        if group.keys() & state.keys():
            expected |= group
    counters = {name for name in expected if name.endswith(".num_batches_tracked")}
    if not counters & state.keys():  # written before torch 0.4.1: batch norms did not count
        state = {**state, **{name: torch.tensor(0) for name in counters}}
    reasons = [f"missing   {name}" for name in expected.keys() - state.keys()]
    reasons += [f"unknown   {name}" for name in state.keys() - expected.keys()]
    for name in expected.keys() & state.keys():
        if not isinstance(state[name], Tensor):
            reasons.append(f"no tensor {name}: {type(state[name]).__name__}")
        elif not _plain(state[name], counts=name.endswith(("num_batches_tracked", "relative_position_index"))):
            reasons.append(f"numbers   {name}: {state[name].dtype}, {state[name].layout}, on {state[name].device}")
        elif tuple(state[name].shape) != expected[name]:
            reasons.append(f"shape     {name}: file {tuple(state[name].shape)}, network {expected[name]}")
    if reasons:
        raise WeightsError(f"{source} does not fit:\n  " + "\n  ".join(sorted(reasons)))

    parts: dict[str, list[Tensor]] = {}
    for name, (ours, _) in layout.targets.items():
        value = state[name]
        parts.setdefault(ours, []).append(value.float() if value.is_floating_point() else value)
    return {
        ours: values[0].contiguous() if len(values) == 1 else torch.stack(values) for ours, values in parts.items()
    }


def _plain(value: Tensor, *, counts: bool) -> bool:
    """Whether these are numbers as weights are: real, in memory, and floats unless they only count."""
    real = value.is_floating_point() or (counts and not value.is_complex())
    return real and value.layout == torch.strided and not value.is_meta


_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")  # DataParallel, compile, Lightning


def unwrap(saved: Any, *, source: str) -> dict[str, Any]:
    """The state dict inside what a training script saved, without the names of what wrapped the network."""
    if not isinstance(saved, Mapping):
        raise WeightsError(f"{source} holds a {type(saved).__name__}, not a dict of tensors")
    if {"state", "param_groups"} <= saved.keys():
        raise WeightsError(
            f"{source} holds only the optimizer's state, no weights: POSTER++'s script writes its 'best' "
            "file so (main.py, save_checkpoint). Use the rolling checkpoint of the same run."
        )
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(saved.get(key), Mapping):
            return unwrap(saved[key], source=source)
    inner = [key for key, value in saved.items() if _holds_weights(value)]
    if len(inner) > 1:
        raise WeightsError(
            f"{source} holds several networks: {', '.join(map(str, inner))}. Save the one you mean alone, for "
            f"example torch.save(torch.load(file)[{inner[0]!r}], ...)"
        )
    if inner:
        return unwrap(saved[inner[0]], source=source)
    if not any(isinstance(value, Tensor) for value in saved.values()):
        keys = ", ".join(map(str, list(saved)[:8])) or "nothing"
        raise WeightsError(f"{source} holds no tensors, only: {keys}. Is this a checkpoint of a network?")
    state = {str(key): value for key, value in saved.items()}
    while prefix := next((one for one in _WRAPPERS if state and all(key.startswith(one) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _holds_weights(value: Any) -> bool:
    """Whether this is a dict with tensors of a network in it, on any level; an optimizer's are not."""
    if not isinstance(value, Mapping) or "param_groups" in value:
        return False
    return any(
        (isinstance(one, Tensor) and one.is_floating_point() and one.dim() > 0) or _holds_weights(one)
        for one in value.values()
    )


def classes_in(state: Mapping[str, Any], head: str) -> int:
    """Rows of the head's weight; 7 where there are none, so that it is reported as missing."""
    weight = state.get(head)
    return len(weight) if isinstance(weight, Tensor) and weight.dim() == 2 and len(weight) else 7
