"""Names of uploads: labels in results, never paths."""

from __future__ import annotations

import re

LONGEST = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # and what turns text around


def upload_name(name: str | None, default: str = "image") -> str:
    """A file name as a client gave it, as a relative label: no control codes, no root, no `..`."""
    text = _CONTROL.sub("", (name or "").encode("utf-8", "replace").decode()).replace("\\", "/")
    text = re.sub(r"^[A-Za-z]:", "", text)
    parts = [part.strip() for part in text.split("/")]
    return "/".join(part for part in parts if part.strip(". "))[-LONGEST:] or default


def distinct(names: list[str]) -> list[str]:
    """Names in the same order, each once: "a.jpg", "a.jpg (2)"."""
    used: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate in used:
            count += 1
            candidate = f"{name} ({count})"
        used.add(candidate)
        result.append(candidate)
    return result
