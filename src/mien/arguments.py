"""The signatures of public functions, kept: an argument of another type is refused before anything is done."""

from __future__ import annotations

import errno
import os
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar

from mien.errors import InputError, OptionError, OutputError, refused, shortened

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN: dict[object, tuple[Any, str]] = {  # of a signature: what it takes, in words
    str: (str, "a name"),
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    os.PathLike: (os.PathLike, "a path"),
    Path: (os.PathLike, "a path"),
    Mapping: (Mapping, "a mapping"),
    Callable: (Callable, "a function"),
    NoneType: (NoneType, "None"),
}
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, raising `OptionError` for an argument of another type than its signature states.

    Parameters that take types of other libraries, such as arrays, are left to the function. What the operating
    system says of a file becomes an `InputError`, of a full or read-only disk an `OutputError`.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, kinds = _declared(function)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in kinds:
                _check(name, value, kinds[name])
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if error.filename is None:
                raise
            kind = OutputError if error.errno in _NOT_WRITTEN else InputError
            raise kind(f"{os.fsdecode(error.filename)}: {error.strerror or error}") from error
        except ValueError as error:
            if "null byte" not in str(error):
                raise
            raise InputError("a path holds a null byte; no file has such a name") from error

    return call


def check_fields(value: Any) -> None:
    """Raises `OptionError` for a field of a dataclass whose value is of another type than it states.

    For `__post_init__`. Arrays are left unread, and so is what tuples hold. Numbers without dimensions, such as
    those of tensors, are numbers.
    """
    for name, quick, parts in _fields(value.__class__):
        held = getattr(value, name)
        if held.__class__ in quick or any(_is_field(held, part) for part in parts):
            continue
        raise refused(name, held, _in_words(parts))


@cache
def _fields(kind: type) -> list[tuple[str, frozenset[type], tuple[Any, ...]]]:
    """Of each field that is checked: its name, the classes that are right at once, and its types."""
    from dataclasses import fields

    checked_ones = []
    for each in fields(typing.cast(Any, kind)):
        parts = _parts(each.type, vars(sys.modules[kind.__module__]))
        bases = [_base(part) for part in parts]
        if parts and all(base is tuple or _known(base) for base in bases):
            quick = {float: (float, int), NoneType: (NoneType,)}
            classes = frozenset(one for base in bases for one in quick.get(base, (base,)))
            checked_ones.append((each.name, classes, parts))
    return checked_ones


def _is_field(value: object, part: Any) -> bool:
    if _base(part) is tuple:
        return isinstance(value, tuple)
    if part is float and getattr(value, "shape", None) == () and not isinstance(value, str):
        return hasattr(value, "__float__")
    return _is(value, part)


@cache
def _declared(function: Callable[..., Any]) -> tuple[Any, dict[str, tuple[Any, ...]]]:
    """The signature, and the types of each parameter that is checked."""
    from inspect import Parameter, signature

    declared, kinds = signature(function), dict[str, tuple[Any, ...]]()
    for name, parameter in declared.parameters.items():
        if parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            parts = _parts(parameter.annotation, function.__globals__)
            if parts and all(map(_known, parts)):
                kinds[name] = parts
    return declared, kinds


def _parts(annotation: Any, names: dict[str, Any]) -> tuple[Any, ...]:
    """The types of a union; none where the annotation has names that only type checkers see."""
    try:
        kind = eval(annotation, names) if isinstance(annotation, str) else annotation  # noqa: S307 - our own source
    except NameError:
        return ()
    return typing.get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _base(part: Any) -> Any:
    return typing.get_origin(part) or part


def _known(part: Any) -> bool:
    base = _base(part)
    if getattr(base, "_is_protocol", False) and not getattr(base, "_is_runtime_protocol", False):
        return False
    return base in _PLAIN or _of_several(base) or str(getattr(base, "__module__", "")).startswith("mien.")


def _of_several(base: Any) -> bool:
    return isinstance(base, type) and base.__module__ == "collections.abc" and issubclass(base, Iterable)


def _check(name: str, value: object, parts: tuple[Any, ...]) -> None:
    if _fits(value, parts):
        return
    lists = [part for part in parts if isinstance(value, (list, tuple)) and _of_several(_base(part))]
    for item in typing.cast(list[Any], value) if lists else []:
        if not _fits(item, _items(lists[0])):
            raise OptionError(f"{name} holds {shortened(item)}; give {_wanted(name, _items(lists[0]))}")
    raise refused(name, value, _wanted(name, parts))


def _fits(value: object, parts: tuple[Any, ...]) -> bool:
    return not parts or any(_is(value, part) for part in parts)


def _is(value: object, part: Any) -> bool:
    base = dict if typing.is_typeddict(part) else _base(part)
    if base is Any:
        return True
    if base is Callable:
        return callable(value) and _takes(value, typing.get_args(part))
    if base in _PLAIN:
        true_as_number = isinstance(value, bool) and base in (int, float)
        return isinstance(value, _PLAIN[base][0]) and not true_as_number
    if base is tuple and isinstance(value, tuple):
        return _is_tuple(value, typing.get_args(part))
    if not isinstance(value, base) or not _of_several(base):
        return isinstance(value, base)
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return False
    return not isinstance(value, Collection) or all(_fits(item, _items(part)) for item in _listed(value))


def _takes(function: Callable[..., Any], parts: tuple[Any, ...]) -> bool:
    """Whether a function can be called with as many values as `Callable[[...], ...]` states."""
    if not parts or parts[0] is Ellipsis:
        return True
    from inspect import signature

    try:
        signature(function).bind(*parts[0])
    except TypeError:
        return False
    except ValueError:  # of built-in functions nothing is known; a built-in class, such as int, is a slip
        return not isinstance(function, type)
    return True


def _is_tuple(value: tuple[Any, ...], parts: tuple[Any, ...]) -> bool:
    """Whether it is one of a known length and its items are; those of any length are left unread."""
    if not parts or parts[-1] is Ellipsis:
        return True
    return len(value) == len(parts) and all(map(_is, value, parts))


def _listed(value: Collection[Any]) -> list[Any]:
    try:
        return list(value)
    except TypeError:  # an array without dimensions
        return [value]


def _items(part: Any) -> tuple[Any, ...]:
    """The types of what a list holds."""
    return tuple(each for inner in typing.get_args(part) for each in _parts(inner, {}))


def _wanted(name: str, parts: tuple[Any, ...]) -> str:
    words = _in_words(parts)
    return words if name.startswith(("weights", "recipe")) else words.replace("a name or a path", "a path")


def _in_words(parts: tuple[Any, ...]) -> str:
    words = dict.fromkeys(_words(part) for part in parts)
    return " or ".join(sorted(words, key="None".__eq__))


def _words(part: Any) -> str:
    base, inner = _base(part), typing.get_args(part)
    if base is Callable and inner and inner[0] is not Ellipsis:
        return f"a function of {len(inner[0])} values"
    if base in _PLAIN:
        return _PLAIN[base][1]
    if base is tuple:
        return "a tuple"
    if not _of_several(base):
        return f"a {base.__module__.partition('.')[0]}.{base.__name__}"
    return f"a list, each {_in_words(_items(part))}" if _items(part) else "a list"
