"""The networks: one file each, torch modules that never open a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mien import plugins
from mien.arguments import checked
from mien.errors import MissingPackageError, OptionError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

NETWORKS = {  # name -> import path of its config
    "poster": "mien.models.poster:PosterConfig",
    "poster_v2": "mien.models.poster_v2:PosterV2Config",
    "apvit": "mien.models.apvit:APViTConfig",
    "phanet": "mien.models.phanet:PhaNetConfig",
    "bare_backbone": "mien.models.bare_backbone:BareBackboneConfig",
    "landmarks68": "mien.models.landmarks68:Landmarks68Config",
    "roll": "mien.models.roll:RollConfig",
    "yunet": "mien.models.yunet:YuNetConfig",
}


@checked
def build(name: str, *, config_name: str = "published", **changes: Any) -> nn.Module:
    """A network with random weights: `build("poster", size="small")`, `build("apvit", config_name="light")`.

    `name`: "poster", "poster_v2", "apvit", "phanet", "bare_backbone", "landmarks68", "roll" or "yunet", or the
    import path of a config of your own, mypkg.net:Config. `config_name`: "published", the authors' sizes; "light",
    ours with MobileFaceNet backbones; PhaNet also has "small", on a small DenseNet. `changes`: fields of the
    network's config.
    """
    network: nn.Module = configure(name, config_name=config_name, **changes).build()
    return network


def configure(name: str, *, config_name: str = "published", **changes: Any) -> Any:
    """The config of a network, whose `build()` is the network.

    A network of your own is named by the import path of its config, `mypkg.net:Config`: a frozen dataclass with a
    field `classes` and a method `build()`, which gives a torch module: faces (B, 3, S, S), normalised, to logits
    (B, classes). "published" is the config with its defaults, "light" what its module calls LIGHT, and so on.
    """
    from dataclasses import fields, is_dataclass, replace

    try:
        config_class = plugins.resolve("network", name, NETWORKS)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPackageError("Building a network", "torch", "train") from error
    if not (isinstance(config_class, type) and is_dataclass(config_class) and hasattr(config_class, "build")):
        raise OptionError(f"network {name}: a config is a dataclass with a method build() that gives the module")
    module = vars(sys.modules[config_class.__module__])
    configs = {"published": config_class()} | {
        key.lower(): value for key, value in module.items() if key.isupper() and isinstance(value, config_class)
    }
    if config_name not in configs:
        raise UnknownNameError(f"config_name of {name}", config_name, configs)
    known = [field.name for field in fields(config_class)]
    if unknown := sorted(changes.keys() - set(known)):
        raise OptionError(f"{name} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}.")
    return replace(configs[config_name], **changes)
