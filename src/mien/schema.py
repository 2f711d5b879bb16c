"""JSON as frozen dataclasses: every value is checked, unknown fields are refused, messages name the field."""

from __future__ import annotations

import re
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def parse(data: bytes, kind: type[T]) -> T:
    """JSON text as a `kind`. Raises ValueError as `convert` does, and where `data` is no JSON."""
    return convert(msgspec.json.decode(data), kind)


def convert(values: Any, kind: type[T]) -> T:
    """Plain values (dicts, lists, strings, numbers) as a `kind`, a dataclass or any type that msgspec knows.

    Raises ValueError "field: what it must be", also for a field that the dataclass does not have.
    """
    try:
        result = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        what, _, field = str(error).rstrip("`").partition(" - at `$")
        what = re.sub("^Expected (.*), got (.*)$", r"must be \1, not \2", what).replace("Expected", "must be")
        raise ValueError(f"{field.lstrip('.')}: {what}" if field else what) from error
    if unknown := _unknown(values, result):
        raise ValueError(f"unknown field{'s' * (len(unknown) > 1)} {', '.join(unknown)}")
    return result


def _unknown(values: Any, known: Any, inside: str = "") -> list[str]:
    """Dotted names of what `values` has and `known` lacks, through all levels."""
    known = asdict(known) if is_dataclass(known) and not isinstance(known, type) else known
    if not (isinstance(values, dict) and isinstance(known, dict)):
        return []
    names = [f"{inside}{name}" for name in values if name not in known]
    for name in values.keys() & known.keys():
        names += _unknown(values[name], known[name], f"{inside}{name}.")
    return names
