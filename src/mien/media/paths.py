"""Paths as they are shown."""

from __future__ import annotations

import os
from collections.abc import Sequence


def common_folder(paths: Sequence[str]) -> str:
    """The folder in which all these lie, with its last separator; "" where there is none but the root."""
    try:
        folder = os.path.join(os.path.commonpath([os.path.dirname(path) for path in paths]), "")
    except ValueError:  # no path, or relative and absolute ones
        return ""
    named = folder.strip(os.sep) and all(path.startswith(folder) for path in paths)
    return folder if named else ""
