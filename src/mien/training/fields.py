"""Whether the fields of a frozen value hold what they are declared to hold. Recipes are written by hand."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mien.errors import OptionError

WORDS = {int: "a whole number", float: "a number", str: "text", bool: "True or False", type(None): "None"}


def check_fields(value: Any, inside: str = "") -> None:
    """Raise `OptionError` naming the first field, fields of fields among them, that holds something else."""
    hints = get_type_hints(type(value))
    for field in fields(value):
        found, name = getattr(value, field.name), f"{inside}{field.name}"
        if not _fits(found, hints[field.name]):
            raise OptionError(f"{name} is {found!r}; it must be {_in_words(hints[field.name])}")
        if is_dataclass(found):
            check_fields(found, f"{name}.")


def _fits(found: Any, hint: Any) -> bool:
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if kind is Literal:
        return found in inner
    if kind in (Union, types.UnionType):
        return any(_fits(found, one) for one in inner)
    if kind is Mapping:
        return isinstance(found, Mapping) and all(
            _fits(key, inner[0]) and _fits(value, inner[1]) for key, value in found.items()
        )
    if kind is tuple:
        return isinstance(found, tuple) and all(_fits(one, inner[0]) for one in found)
    if hint is float:
        return isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    if hint is int:
        return isinstance(found, int) and not isinstance(found, bool)
    return isinstance(found, hint)


def _in_words(hint: Any) -> str:
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Literal:
        return " or ".join(map(repr, inner))
    if kind in (Union, types.UnionType):
        return " or ".join(map(_in_words, inner))
    if kind is Mapping:
        return "a dict from text to " + ("values" if inner[1] is Any else _in_words(inner[1]))
    if kind is tuple:
        return f"a tuple of {_in_words(inner[0])}, such as ('one',)"
    return WORDS.get(hint, f"a {hint.__name__}")
