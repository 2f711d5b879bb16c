"""Parts by name: our own, those of installed packages, and any by import path (`mypkg.net:Config`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from mien.errors import InputError, OptionError, UnknownNameError

GROUPS = {  # kind of part -> group of entry points in which a package may offer its own
    "network": "mien.networks",
    "data set": "mien.datasets",
    "augmentation": "mien.augmentations",
    "protocol": "mien.protocols",
    "recipe": "mien.recipes",
}


def resolve(kind: str, name: str, builtin: Mapping[str, str]) -> object:
    """The object that `name` stands for; `builtin`: name -> "module:attribute" of our own parts.

    The order: our own parts, an import path, entry points. An import path also reaches modules in the working
    folder. Raises `UnknownNameError` with the nearest known name, `OptionError` where module or attribute are
    absent, `InputError` where importing the module fails.
    """
    if name in builtin:
        return load(kind, builtin[name])
    if ":" in name:
        return load(kind, name)
    offered = _offered(kind)
    if name not in offered:
        raise UnknownNameError(kind, name, {*builtin, *offered})
    return load(kind, offered[name])


def names(kind: str, builtin: Mapping[str, str]) -> list[str]:
    """Every name that `resolve` knows, import paths apart."""
    return sorted({*builtin, *_offered(kind)})


def load(kind: str, path: str) -> object:
    """The attribute of a module, from "module:attribute"."""
    module_name, _, attribute = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise OptionError(f"{kind} {path!r}: write an import path as package.module:Name")
    try:
        value: object = _imported(module_name)
    except ModuleNotFoundError as error:
        if not error.name or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # a package that the module itself needs
        raise OptionError(
            f"{kind} {path!r}: there is no module {error.name}; install the package, or run from its folder"
        ) from error
    except Exception as error:
        raise InputError(
            f"{kind} {path!r}: importing {module_name} stops with {type(error).__name__}: {error}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise OptionError(f"{kind} {path!r}: {module_name} has no {attribute}")
        value = getattr(value, part)
    return value


def _imported(name: str) -> object:
    """Import a module; "" on the path is the working folder, as `python -m` has it."""
    if "" in sys.path:
        return import_module(name)
    sys.path.append("")
    try:
        return import_module(name)
    finally:
        sys.path.remove("")


def _offered(kind: str) -> dict[str, str]:
    """Entry points of installed packages: name -> import path."""
    return {point.name: point.value for point in entry_points(group=GROUPS[kind])}
