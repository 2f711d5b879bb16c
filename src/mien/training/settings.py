"""Frozen settings whose fields hold what they are declared to hold, and how a text changes one (`--set`)."""

from __future__ import annotations

import ast
import inspect
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from mien.errors import OptionError, UnknownNameError, check_option, shortened

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Raises `OptionError` naming the first field that holds something else. Lists become tuples, 1 becomes 1.0."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            fitting = self._checked(field, hints[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, fitting)

    def _at_least(self, least: float, *names: str) -> None:
        """Raise `OptionError` for the first of these fields below `least`; null fits."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value < least:
                raise OptionError(f"{type(self).__name__}.{name} is {value}; it must be at least {least:g}")

    def _checked(self, field: Field[Any], hint: Any, value: Any) -> Any:
        kinds = tuple(kind for kind in (hint, *get_args(hint)) if isinstance(kind, type))
        if isinstance(value, Settings) and isinstance(value, kinds):
            return value  # perhaps of a class of the user's own, which msgspec does not take
        try:
            if isinstance(value, dict) and get_origin(hint) is not Mapping:
                raise msgspec.ValidationError  # msgspec would make a dataclass of it and drop unknown names
            if get_origin(hint) is Mapping and not isinstance(value, Mapping):
                raise msgspec.ValidationError  # an array, whose keys msgspec would ask for
            fitting = msgspec.convert(value, hint)
            if isinstance(fitting, float) and not math.isfinite(fitting):
                raise msgspec.ValidationError
        except msgspec.ValidationError:
            declared = re.sub(r"Literal\[(.*)\]", r"one of \1", str(field.type))
            raise OptionError(
                f"{type(self).__name__}.{field.name} is {shortened(value)}; it must be {declared}"
            ) from None
        return fitting


def changed(settings: S, changes: Mapping[str, Any]) -> S:
    """A copy with other values: of a field, a field of a field, or a key of a mapping, by names with dots.

    A text is read as the field wants it: "5", "true", "null", '["head."]', "a,b", '{"": "default"}'. Fields that
    must fit each other are checked when all have changed.
    """
    values: dict[str, Any] = {}
    for name, value in changes.items():
        check_option("the name of a field", name, str, "a text with dots, such as 'optimizer.lr'")
        first, _, rest = name.partition(".")
        known = [field.name for field in fields(settings)]
        if first not in known:
            raise UnknownNameError(f"field of {type(settings).__name__}", first, known)
        hint = get_type_hints(type(settings))[first]
        values[first] = _changed(hint, values.get(first, getattr(settings, first)), name, rest, value)
    return replace(settings, **values)


def _changed(hint: Any, before: Any, name: str, rest: str, value: Any) -> Any:
    """The new value of the field `name`, or of `rest` in it."""
    if not rest:
        return _read(value, hint)
    if isinstance(before, Mapping):
        return {**before, rest: _read(value, get_args(hint)[1])}
    kinds = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, Settings)]
    if not kinds:
        raise OptionError(f"{name.partition('.')[0]} has no fields of its own, so there is no {name}")
    return changed(kinds[0]() if before is None else before, {rest: value})


def _read(value: Any, hint: Any) -> Any:
    """A text as `hint` wants it, or as it stands where nothing fits: the field then says what it must be."""
    if not isinstance(value, str):
        return value
    try:
        plain = json.loads(value)
    except ValueError:
        plain = value
    if hint is Any:
        return {"True": True, "False": False, "None": None}.get(value, plain)
    for candidate in (value, plain, [part.strip() for part in value.split(",")]):
        try:
            return msgspec.convert(candidate, hint, strict=False)
        except msgspec.ValidationError:
            continue
    return value


def flat(settings: Settings, inside: str = "") -> dict[str, Any]:
    """Every field by the name that `changed` takes, fields of fields too."""
    values: dict[str, Any] = {}
    for field in fields(settings):
        value, name = getattr(settings, field.name), f"{inside}{field.name}"
        values |= flat(value, f"{name}.") if isinstance(value, Settings) else {name: value}
    return values


def field_docs(kind: type[Settings], inside: str = "") -> dict[str, str]:
    """What the source says of each field, in a comment at its end; fields of fields by their dotted names."""
    source = inspect.getsource(kind)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    docs: dict[str, str] = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]  # a class has a body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            docs[f"{inside}{name}"] = comments.get(node.end_lineno or 0, "")
            hint = get_type_hints(kind)[name]
            for part in (hint, *get_args(hint)):
                if isinstance(part, type) and issubclass(part, Settings):
                    docs |= field_docs(part, f"{inside}{name}.")
    return docs
