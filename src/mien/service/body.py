"""Request bodies, read piece by piece under limits of size and time; nothing is written to disk here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mien.errors import ServiceError
from mien.service.upload_names import upload_name

MAX_FIELDS = 32
MAX_FIELD_BYTES = 4096
LEAST_RATE = 32 * 1024  # bytes a second of a sender, beyond the time it has in any case


class Sink(Protocol):
    """Where the content of an uploaded file goes."""

    def write(self, data: bytes) -> object:
        """The next piece."""
        ...

    def close(self) -> None:
        """The file is complete."""
        ...


@dataclass
class MemorySink:
    """A file in memory."""

    content: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        """The next piece."""
        self.content += data

    def close(self) -> None:
        """Nothing to do."""


def content_type(request: Request) -> tuple[str, dict[str, str]]:
    """Media type in lower case and its parameters."""
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    named = {key.decode("latin-1"): value.decode("latin-1") for key, value in parameters.items()}
    return kind.decode("latin-1").lower().strip(), named


def stated_length(request: Request) -> int | None:
    """Content-Length; None where there is none."""
    value = request.headers.get("content-length")
    return int(value) if value and value.isascii() and value.isdigit() else None


async def pieces(request: Request, *, max_bytes: int, timeout_s: float) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises `ServiceError` 413 beyond `max_bytes`, 408 for a sender that is too slow."""
    if (stated_length(request) or 0) > max_bytes:
        raise too_large(max_bytes)
    if (encoding := request.headers.get("content-encoding", "identity")).lower() != "identity":
        raise ServiceError(f"the body is packed ({encoding[:40]!r}); send it without Content-Encoding", status=415)
    received, began = 0, time.monotonic()
    stream = request.stream().__aiter__()
    while True:
        left = timeout_s + received / LEAST_RATE - (time.monotonic() - began)
        try:
            async with asyncio.timeout(min(timeout_s, left)):
                piece = await anext(stream, None)
        except TimeoutError:
            message = f"the body did not arrive in time ({received} bytes so far); send it faster"
            raise ServiceError(message, status=408, retry_after_s=1) from None
        if piece is None:
            return
        received += len(piece)
        if received > max_bytes:
            raise too_large(max_bytes)
        if piece:
            yield piece


def too_large(max_bytes: int) -> ServiceError:
    """413 with the limit."""
    return ServiceError(
        f"the body is larger than {max_bytes / 2**20:g} MiB, the limit of this service; send less", status=413
    )


class FormReader:
    """A multipart form, fed piece by piece: files into sinks, other fields as text.

    `open_file(field, file name)` gives the sink of each file; what it raises ends the reading. `files`: the field
    that is to hold files, not text.
    """

    def __init__(self, boundary: str, open_file: Callable[[str, str], Sink], *, files: str) -> None:
        self.fields: dict[str, str] = {}
        self._open_file, self._files = open_file, files
        self._headers: dict[str, bytes] = {}
        self._header_name, self._header_value = bytearray(), bytearray()
        self._sink: Sink | None = None
        self._text: bytearray | None = None
        self._name, self._ended, self._count = "", False, 0
        if not boundary:
            raise ServiceError("the multipart body has no boundary; let your HTTP library set Content-Type")
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary.encode("latin-1", "replace"), callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise _broken(error) from None

    def feed(self, data: bytes) -> None:
        """The next piece of the body. Raises `ServiceError` where it is no form."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(error) from None

    def finish(self) -> None:
        """Raises `ServiceError` where the form is not complete."""
        if not self._ended:
            raise _broken("it ends early")

    def close(self) -> None:
        """Close what is open."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _begin(self) -> None:
        self._headers = {}

    def _header(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _open(self) -> None:
        kind, parameters = parse_options_header(self._headers.get("content-disposition", b""))
        if kind.lower() != b"form-data" or b"name" not in parameters:
            raise _broken("a part has no name")
        self._name = parameters[b"name"].decode("utf-8", "replace")[:100]
        if b"filename" in parameters:
            name = upload_name(parameters[b"filename"].decode("utf-8", "replace"))
            self._sink = self._open_file(self._name, name)
            return
        if self._name == self._files:
            raise ServiceError(
                f"the field {self._name!r} is text without a file name; send the file itself, as "
                f"curl -F {self._name}=@photo.jpg does",
                status=422,
            )
        self._count += 1
        if self._count > MAX_FIELDS:
            raise ServiceError(f"the form has more than {MAX_FIELDS} fields; send files and options only")
        self._text = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink.write(data[start:end])
        elif self._text is not None:
            self._text += data[start:end]
            if len(self._text) > MAX_FIELD_BYTES:
                raise ServiceError(f"the field {self._name!r} is longer than {MAX_FIELD_BYTES} bytes", status=413)

    def _end_part(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None
        elif self._text is not None:
            if self._name in self.fields:
                raise ServiceError(f"the field {self._name!r} is there twice; give it once")
            self.fields[self._name] = self._text.decode("utf-8", "replace")
            self._text = None

    def _end(self) -> None:
        self._ended = True


def _broken(reason: object) -> ServiceError:
    text = " ".join(str(reason).split())[:200]
    return ServiceError(f"the multipart body is broken ({text}); let your HTTP library write it")
