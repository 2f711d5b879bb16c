"""The page at `/`: built files of the package, with the headers that they need."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json"}

for suffix, kind in _TYPES.items():
    mimetypes.add_type(kind, suffix)


class Page(StaticFiles):
    """Static files: those below `assets/` have a hash in their names and are cached, others are asked for anew."""

    def __init__(self, directory: Path, routes: Sequence[Route]) -> None:
        super().__init__(directory=directory, html=True)
        self._routes = routes  # of the interface: another method of one of its addresses is no missing page

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As Starlette's, but 405 for an address of the interface."""
        if any(route.matches(scope)[0] is not Match.NONE for route in self._routes):
            raise HTTPException(405)
        if ".." in scope["path"].split("/"):
            raise HTTPException(404)
        return await super().get_response(path, scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, *args: Any, **more: Any
    ) -> Response:
        """As Starlette's, with Cache-Control."""
        response = super().file_response(full_path, stat_result, scope, *args, **more)
        hashed = scope["path"].startswith("/assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response


def page(routes: Sequence[Route]) -> Page | None:
    """The application that serves it beside these routes; None where this install has no page."""
    return Page(STATIC, routes) if (STATIC / "index.html").is_file() else None
