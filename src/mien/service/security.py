"""The headers of every response, and which requests are let in at all."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mien.errors import ServiceError

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # onnxruntime-web compiles WebAssembly
        "worker-src 'self' blob:",  # and starts its threads from a blob
        "connect-src 'self' blob: data:",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",  # with the next two, pages may use threads
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OPEN = ("/healthz", "/readyz")  # without a token: what a supervisor asks
_SAFE = ("GET", "HEAD", "OPTIONS")


def needs_token(path: str) -> bool:
    """Whether a path is of the interface; the page, its assets and the model files of the package are public."""
    return path.startswith("/v1/") or path == "/metrics"


def check_host(headers: Headers, allowed: Iterable[str]) -> None:
    """Refuse names of this service that it does not know: a page elsewhere may have pointed its own name here.

    Raises `ServiceError` 403.
    """
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if name not in allowed:
        raise ServiceError(
            f"this service does not know itself as {name[:100]!r}; start it with --allowed-host", status=403
        )


def check_origin(method: str, headers: Headers) -> None:
    """Refuse requests that another site's page sends through a visitor's browser. Raises `ServiceError` 403."""
    if method in _SAFE:
        return
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    foreign = origin is not None and urlsplit_netloc(origin) != headers.get("host")
    if site not in ("none", "same-origin") or foreign:
        raise ServiceError("requests from pages of other sites are refused (CORS is closed)", status=403)


def urlsplit_netloc(origin: str) -> str | None:
    """Host and port of an origin; None for "null" and what is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
