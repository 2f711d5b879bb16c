"""The networks: one file each, torch modules that never open a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import MienError, MissingPackageError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

NETWORKS = {  # name -> where its module, its class and its config live
    "poster": "mien.models.poster:Poster:PosterConfig",
    "poster_v2": "mien.models.poster_v2:PosterV2:PosterV2Config",
    "apvit": "mien.models.apvit:APViT:APViTConfig",
    "phanet": "mien.models.phanet:PhaNet:PhaNetConfig",
    "landmarks68": "mien.models.landmarks68:Landmarks68:Landmarks68Config",
    "yunet": "mien.models.yunet:YuNet:YuNetConfig",
}


def build(name: str, *, config_name: str = "published", **changes: Any) -> nn.Module:
    """A network with fresh weights: `build("poster", size="small")`, `build("apvit", config_name="light")`.

    `config_name` is "published", the authors' sizes, or "light", ours with MobileFaceNet backbones; PhaNet also has
    "small", on a small DenseNet. `changes` replace fields of the network's config.
    """
    network, config = configure(name, config_name=config_name, **changes)
    built: nn.Module = network(config)
    return built


def configure(name: str, *, config_name: str = "published", **changes: Any) -> tuple[type[nn.Module], Any]:
    """The class of a network and the config that `build` would give it."""
    from dataclasses import fields, replace

    if name not in NETWORKS:
        raise UnknownNameError("network", name, NETWORKS)
    path, network, config = NETWORKS[name].split(":")
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPackageError("Building a network", "torch", "train") from error
    forms = {"published": getattr(module, config)()}
    forms |= {
        config_name.lower(): getattr(module, config_name)
        for config_name in ("LIGHT", "SMALL")
        if hasattr(module, config_name)
    }
    if config_name not in forms:
        raise UnknownNameError(f"config_name of {name}", config_name, forms)
    known = [field.name for field in fields(forms[config_name])]
    if unknown := sorted(changes.keys() - set(known)):
        raise MienError(f"{name} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}.")
    return getattr(module, network), replace(forms[config_name], **changes)
