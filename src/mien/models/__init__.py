"""The networks: one file each, torch modules that never open a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import MienError, MissingPackage, UnknownName

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


def build(name: str, *, form: str = "published", **changes: Any) -> nn.Module:
    """A network with fresh weights: `build("poster", size="small")`, `build("apvit", form="light")`.

    `form` is "published", the authors' sizes, or "light", ours with MobileFaceNet trunks; PhaNet also has
    "small", on a small DenseNet. `changes` replace fields of the network's config.
    """
    network, config = configure(name, form=form, **changes)
    built: nn.Module = network(config)
    return built


def configure(name: str, *, form: str = "published", **changes: Any) -> tuple[type[nn.Module], Any]:
    """The class of a network and the config that `build` would give it."""
    from dataclasses import fields, replace

    if name not in NETWORKS:
        raise UnknownName("network", name, NETWORKS)
    path, network, config = NETWORKS[name].split(":")
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPackage("Building a network", "torch", "train") from error
    forms = {"published": getattr(module, config)()}
    forms |= {form.lower(): getattr(module, form) for form in ("LIGHT", "SMALL") if hasattr(module, form)}
    if form not in forms:
        raise UnknownName(f"form of {name}", form, forms)
    known = [field.name for field in fields(forms[form])]
    if unknown := sorted(changes.keys() - set(known)):
        raise MienError(f"{name} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}.")
    return getattr(module, network), replace(forms[form], **changes)
