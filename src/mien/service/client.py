"""A client of `mien serve` in Python; it raises the errors of this package as if the work were done here."""

from __future__ import annotations

import io
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from mien import errors
from mien.errors import InputError, MienError, OptionError, ServiceError
from mien.results import Face


class Client:
    """`url`: of the service. `token`: what `mien serve token add` has shown. Options: docs/how-to/serve.md."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", token: str | None = None, *, timeout_s: float = 60
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    def predict(self, image: bytes | Path, **options: Any) -> list[Face]:
        """The faces of one image, largest first."""
        return [Face.from_dict(face) for face in self._of_image("/v1/predict", image, options)["faces"]]

    def explain(self, image: bytes | Path, **options: Any) -> dict[str, Any]:
        """Which parts of one face its prediction uses: `cells` (12, 12). Options: also `face` and `label`."""
        return self._of_image("/v1/explain", image, options)

    def submit(self, files: list[Path], **options: Any) -> str:
        """A job for images and videos; returns its id."""
        with ExitStack() as stack:
            uploads = [("files", (file.name, stack.enter_context(file.open("rb")))) for file in files]
            return str(self._send("POST", "/v1/jobs", files=uploads, params=options).json()["id"])

    def status(self, job: str) -> dict[str, Any]:
        """How far a job is: `state`, `done`, `total`."""
        return dict(self._send("GET", f"/v1/jobs/{job}").json())

    def result(self, job: str) -> pa.Table:
        """The table of a job; waits until it has ended."""
        while self.status(job)["state"] in ("queued", "running"):
            time.sleep(0.5)
        content = self._send("GET", f"/v1/jobs/{job}/result", params={"format": "parquet"}).content
        return pq.read_table(io.BytesIO(content))

    def cancel(self, job: str) -> None:
        """Cancel a job, or remove its result."""
        self._send("DELETE", f"/v1/jobs/{job}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _of_image(self, path: str, image: bytes | Path, options: dict[str, Any]) -> dict[str, Any]:
        content = image if isinstance(image, bytes) else image.read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        return dict(self._send("POST", path, content=content, headers=headers, params=options).json())

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        response = self._http.request(method, path, **request)
        if response.is_error:
            raise _error(response)
        return response


def _error(response: httpx.Response) -> MienError:
    """The error that the service states, of the same family."""
    try:
        error = response.json()["error"]
        kind, message = getattr(errors, error["type"], ServiceError), error["message"]
    except (ValueError, LookupError, TypeError, AttributeError):  # a proxy in between
        kind, message = ServiceError, f"the service responds with status {response.status_code}"
    for family in (OptionError, InputError):
        if issubclass(kind, family):
            return family(message)
    retry_after = response.headers.get("Retry-After", "")
    seconds = int(retry_after) if retry_after.isdigit() else None
    return ServiceError(message, status=response.status_code, retry_after_s=seconds)
