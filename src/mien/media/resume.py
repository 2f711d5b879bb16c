"""Whether an interrupted run may go on: what differs between its settings and those given now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One sentence for each value that differs, like "seed was 0, now 5"; nested fields are named with dots.

    Values are compared as JSON holds them, so that tuples equal lists.
    """
    return _compare(_as_json(before), _as_json(now), "")


def _compare(before: Any, now: Any, name: str) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        dotted = f"{name}." if name else ""
        return [
            sentence
            for key in keys
            for sentence in _compare(before.get(key, _ABSENT), now.get(key, _ABSENT), dotted + key)
        ]
    return [] if before == now else [f"{name} was {_shown(before)}, now {_shown(now)}"]


def _as_json(value: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(value), default=str))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
