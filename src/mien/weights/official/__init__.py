"""Official checkpoints under our names. One file per family, which is recognised from names and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import WeightsError
from mien.weights.official import apvit, backbones, poster, poster_v2
from mien.weights.official.layout import State, unwrap
from mien.weights.official.pickles import read

# name -> is it one of these?, the conversion. The first that recognises a file converts it.
FAMILIES: dict[str, tuple[Callable[..., bool], Callable[..., tuple[State, Any]]]] = {
    "poster": (poster.recognises, poster.convert),
    "poster_v2": (poster_v2.recognises, poster_v2.convert),
    "apvit": (apvit.recognises, apvit.convert),
    "landmarks68": (backbones.is_landmarks68, backbones.convert_landmarks68),
    "ir50": (backbones.is_ir50, backbones.convert_ir50),
    "densenet": (backbones.is_densenet, backbones.convert_densenet),
    "vit_small": (apvit.is_vit_small, apvit.convert_vit_small),
}


@dataclass(frozen=True, kw_only=True)
class Converted:
    """An official checkpoint under our names.

    `network` is a name for `mien.models.build`, or one of three parts to start a training from: "ir50" fills
    `image_backbone` of POSTER, POSTER++, APViT and PhaNet, "vit_small" the transformer of APViT; they have no
    config. "densenet" fills `image_backbone` of PhaNet; its config is a `DenseNetConfig`.
    """

    network: str
    state: State
    config: Any


def convert_state(saved: Mapping[str, Any], *, source: str = "this checkpoint") -> Converted:
    """What a training script saved -> a filled state dict, or `WeightsError` with every reason why not."""
    state = unwrap(saved, source=source)
    for network, (recognises, move) in FAMILIES.items():
        if recognises(state):
            moved, config = move(state, source=source)
            return Converted(network=network, state=moved, config=config)
    some = ", ".join(list(state)[:4])
    raise WeightsError(
        f"{source} is none of {', '.join(FAMILIES)}: its tensors are called {some}, ... "
        "If it is one of our own files, it needs no conversion."
    )


def convert_file(path: Path) -> Converted:
    """An official checkpoint file, read without running anything in it."""
    return convert_state(read(path), source=str(path))
