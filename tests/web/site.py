"""The page as a static site: its built files and the model files of the package, on a port of this machine."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import mien

PACKAGE = Path(mien.__file__).parent
STATIC = PACKAGE / "service/static"
MODELS = PACKAGE / "weights/files"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, static: Path, headers: dict[str, str]) -> None:
        self._static, self._headers = static, headers
        super().__init__(*args, directory=str(static))  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        if path.startswith("/models/"):
            return str(MODELS / path.removeprefix("/models/").split("?")[0])
        return super().translate_path(path)

    def end_headers(self) -> None:
        for name, value in self._headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A browser that leaves in the middle of a file is no error."""


@contextlib.contextmanager
def static_site(static: Path = STATIC, headers: dict[str, str] | None = None) -> Iterator[str]:
    """The address of the page while the block runs. `headers`: of every response; none as of a plain host."""
    handler = functools.partial(_Handler, static=static, headers=headers or {})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
