"""The page at `/`: built files of the package, with the headers that they need."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json"}

for suffix, kind in _TYPES.items():
    mimetypes.add_type(kind, suffix)


class Page(StaticFiles):
    """Static files: those below `assets/` have a hash in their names and are cached, others are asked for anew."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, *args: Any, **more: Any
    ) -> Response:
        """As Starlette's, with Cache-Control."""
        response = super().file_response(full_path, stat_result, scope, *args, **more)
        hashed = scope["path"].startswith("/assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response


def page() -> Page | None:
    """The application that serves it; None where this install has no page."""
    return Page(directory=STATIC, html=True) if (STATIC / "index.html").is_file() else None
