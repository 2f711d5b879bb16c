"""Requests that mean harm: bombs, polyglots, broken forms, path tricks. Shared by the test and by the long run."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from PIL import Image

BOUNDARY = "x" * 20
NAMES = (
    "../../etc/passwd", "/etc/passwd", "C:\\Windows\\a.jpg", "..\\..\\a", "a\0.jpg", "%2e%2e%2fa", "", "a" * 3000,
    "\u202egpj.exe", "con", "'; DROP TABLE jobs; --", "<img src=x onerror=alert(1)>",
)  # fmt: skip


@dataclass
class Hostile:
    """One request. `statuses`: what the service may respond; a valid image with something behind it is an image."""

    name: str
    method: str = "POST"
    path: str = "/v1/predict"
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    params: Any = None
    statuses: tuple[int, ...] = tuple(range(400, 432))

    def send(self, client: httpx.Client) -> httpx.Response:
        headers = self.headers or {"Content-Type": "application/octet-stream"}
        return client.request(self.method, self.path, content=self.content, headers=headers, params=self.params)


def images(photo: bytes) -> Iterator[Hostile]:
    """Bodies that are no image, or a dangerous one."""
    yield Hostile("png bomb", content=png(30_000, 30_000, b"\0" * 1000))
    yield Hostile("png of more megapixels than it has data", content=png(1500, 1500, b"\0" * 10))
    yield Hostile("png with a bomb of text", content=png(20, 20, bytes(1300), text=bytes(80_000_000)))
    yield Hostile("jpeg bomb", content=resized_header(photo, 65_500, 65_500))
    yield Hostile("cut jpeg", content=photo[: len(photo) // 2])
    yield Hostile("jpeg of noise", content=photo[:600] + random.Random(0).randbytes(5000))
    yield Hostile(
        "gif bomb", content=b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x80\0\0" + b"\0" * 6 + b","
    )
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, -9, -9, 1, 24, 0, 0, 0, 0, 0, 0)
    yield Hostile("bmp of negative size", content=bmp)
    yield Hostile("tiff of wild tags", content=b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 400)
    yield Hostile("webp header", content=b"RIFF\xff\xff\xff\xffWEBPVP8L" + b"\xff" * 200)
    yield Hostile("avif header", content=b"\0\0\0\x1cftypavif" + b"\xff" * 200)
    yield Hostile("heic header", content=b"\0\0\0\x1cftypheic" + b"\xff" * 200)
    yield Hostile("video", content=b"\0\0\0\x1cftypisom" + b"\0" * 200)
    yield Hostile("postscript", content=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n")
    yield Hostile("svg", content=b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    yield Hostile("xml entities", content=b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')
    yield Hostile("html", content=b"<html><script>alert(1)</script></html>")
    yield Hostile("pdf", content=b"%PDF-1.7\n" + bytes(100))
    yield Hostile("zip bomb", content=zipped(bytes(10_000_000)))
    yield Hostile("pickle", content=b"cos\nsystem\n(S'id'\ntR.")
    yield Hostile("one pixel", content=encoded(Image.new("RGB", (1, 1))))
    yield Hostile("a line", content=encoded(Image.new("RGB", (2000, 1))))
    yield Hostile("empty", content=b"")
    yield Hostile("compressed body", content=zlib.compress(photo), headers={"Content-Encoding": "deflate"})
    fine = (200, 422)
    yield Hostile("jpeg and zip", content=photo + zipped(b"MZ"), statuses=fine)
    yield Hostile(
        "jpeg and script", content=photo + b"<script>alert(1)</script><?php system('id'); ?>", statuses=fine
    )
    yield Hostile(
        "gif and script", content=encoded(Image.new("P", (64, 64)), "GIF") + b"*/=alert(1)//", statuses=fine
    )
    yield Hostile("many frames", content=animated(300), statuses=fine)


def forms(photo: bytes) -> Iterator[Hostile]:
    """Broken and tricky multipart bodies."""
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    good = part('name="image"; filename="a.jpg"', photo)
    end = f"--{BOUNDARY}--\r\n".encode()
    yield Hostile("no boundary", content=good + end, headers={"Content-Type": "multipart/form-data"})
    yield Hostile(
        "long boundary", content=good, headers={"Content-Type": f"multipart/form-data; boundary={'y' * 5000}"}
    )
    yield Hostile("odd boundary", content=good, headers={"Content-Type": 'multipart/form-data; boundary="\\"'})
    yield Hostile("other boundary", content=good.replace(b"x" * 20, b"z" * 20) + end, headers=kind)
    yield Hostile("cut form", content=good[: len(good) // 2], headers=kind)
    yield Hostile("form without end", content=good, headers=kind)
    yield Hostile("empty form", content=end, headers=kind)
    yield Hostile("no name", content=part("", photo) + end, headers=kind)
    yield Hostile("no disposition", content=f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + end, headers=kind)
    yield Hostile("header without colon", content=f"--{BOUNDARY}\r\nabc\r\n\r\nx\r\n".encode() + end, headers=kind)
    yield Hostile(
        "endless header", content=f"--{BOUNDARY}\r\nA: {'b' * 100_000}\r\n\r\nx\r\n".encode() + end, headers=kind
    )
    yield Hostile("many headers", content=f"--{BOUNDARY}\r\n{'A: b' * 1}\r\n".encode() * 2000 + end, headers=kind)
    yield Hostile("many fields", content=part('name="a"', b"1") * 5000 + end, headers=kind)
    yield Hostile("large field", content=part('name="weights"', b"w" * 1_000_000) + good + end, headers=kind)
    yield Hostile("many files", content=good * 3 + end, headers=kind)
    yield Hostile(
        "nested form", content=part('name="image"; filename="a"', part('name="b"', b"")) + end, headers=kind
    )
    yield Hostile("job without files", path="/v1/jobs", content=part('name="every"', b"2") + end, headers=kind)
    yield Hostile("job cut", path="/v1/jobs", content=good[:-30], headers=kind)
    for name in NAMES:
        escaped = name.replace("\\", "\\\\").replace('"', "%22")
        body = part(f'name="image"; filename="{escaped}"', photo) + end
        yield Hostile(f"file name {name[:20]!r}", content=body, headers=kind, statuses=(200, 400))


def addresses() -> Iterator[Hostile]:
    """Wrong paths, methods, options and headers."""
    for path in ("/v1/../etc/passwd", "/models/../../etc/passwd", "/models/default/..%2f..%2f..%2fetc%2fpasswd",
                 "/models/%00/x", "/assets/..%5c..%5csecret", "/v1/jobs/..%2f..", "/v1/jobs/%27%20OR%201=1",
                 "/v1/jobs/" + "a" * 3000, "/.git/config", "/v1/predict/", "//etc/passwd", "/%ff%fe"):  # fmt: skip
        yield Hostile(f"path {path[:40]}", method="GET", path=path)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "FOO"):
        yield Hostile(f"method {method}", method=method)
    for option, value in {"threshold": "nan", "min_confidence": "inf", "tta": "maybe", "weights": "../default",
                          "labels": "w" * 10_000, "priors": "\0", "detect": "", "threshold ": "0.5", "[]": "1",
                          "url": "file:///etc/passwd", "small_faces": "2", "__class__": "x"}.items():  # fmt: skip
        yield Hostile(f"option {option}={value[:10]!r}", params={option: value}, content=b"x")
    yield Hostile("the same option twice", params=[("threshold", "0.5"), ("threshold", "7")], content=b"x")
    yield Hostile("wrong type", content=b"{}", headers={"Content-Type": "application/json"})
    yield Hostile("odd type", content=b"x", headers={"Content-Type": ";;;=,\"'"})
    yield Hostile("key of controls", path="/v1/jobs", headers={"Idempotency-Key": "k" * 300})


def explanations(photo: bytes) -> Iterator[Hostile]:
    """The bodies that are no image once more, to be explained; and wrong faces and classes of a good one."""
    for one in (*images(photo), *forms(photo)):
        if one.path == "/v1/predict" and 200 not in one.statuses:
            yield replace(one, name=f"explain {one.name}", path="/v1/explain")
    for option, value in {
        "face": "-1",
        "face ": "0",
        "label": "w" * 10_000,
        "method": "../../x",
        "priors": "\0",
    }.items():
        yield Hostile(f"explain {option}={value[:10]!r}", path="/v1/explain", params={option: value}, content=photo)
    yield Hostile("explain face 10^30", path="/v1/explain", params={"face": "1" + "0" * 30}, content=photo)
    yield Hostile("explain GET", method="GET", path="/v1/explain")


def jobs(photo: bytes) -> Iterator[Hostile]:
    """The bodies once more, where only a form is taken."""
    for one in images(photo):
        yield replace(one, name=f"job {one.name}", path="/v1/jobs", statuses=tuple(range(400, 432)))
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    good, end = part('name="files"; filename="a.jpg"', photo), f"--{BOUNDARY}--\r\n".encode()
    for option, value in {
        "fps": "-1",
        "every": "0",
        "start_s": "nan",
        "smoothing": "1e400",
        "weights": "../x",
    }.items():
        body = good + part(f'name="{option}"', value.encode()) + end
        yield Hostile(f"job {option}={value}", path="/v1/jobs", content=body, headers=kind)
    yield Hostile("job of many files", path="/v1/jobs", content=good * 2000 + end, headers=kind)
    yield Hostile("job file cut", path="/v1/jobs", content=good[:-40], headers=kind)
    yield Hostile(
        "job with a text as file", path="/v1/jobs", content=part('name="files"', photo) + end, headers=kind
    )


def everything(photo: bytes) -> list[Hostile]:
    """All of them."""
    return [*images(photo), *forms(photo), *addresses(), *explanations(photo), *jobs(photo)]


def problem_of(request: Hostile, response: httpx.Response) -> str | None:
    """What is wrong with a response; None where it is as it must be."""
    text = response.text
    if response.status_code not in request.statuses:
        return f"{request.name}: status {response.status_code}: {text[:200]}"
    if any(word in text for word in ("Traceback", 'File "', "/site-packages/", "root:x:0")):
        return f"{request.name}: shows too much: {text[:200]}"
    if response.status_code >= 400:
        try:
            error = response.json()["error"]
        except (ValueError, LookupError):
            return f"{request.name}: no clear body: {text[:200]}"
        if not error["message"] or error["status"] != response.status_code:
            return f"{request.name}: no clear message: {error}"
    return None


def raw(port: int) -> Iterator[tuple[str, bytes]]:
    """(name, response) of bytes that are no HTTP, or a wrong one."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
    sent = {
        "no http": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" * 20,
        "no version": b"GET /\r\n\r\n",
        "negative length": head + b"Content-Length: -5\r\n\r\n",
        "two lengths": head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "length and chunks": head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "broken chunks": head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "endless header": head + b"A: " + b"b" * 200_000,
        "no host": b"POST /v1/predict HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "zero byte": head + b"A: \0\r\n\r\n",
        "smuggled": head + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    }
    for name, data in sent.items():
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(data)
            with contextlib.suppress(OSError):  # the service may have hung up already
                connection.shutdown(socket.SHUT_WR)
            response = b""
            try:
                while piece := connection.recv(65536):
                    response += piece
            except ConnectionError:
                pass
        yield name, response


def part(disposition: str, content: bytes) -> bytes:
    """One part of a form."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def png(width: int, height: int, data: bytes, *, text: bytes = b"") -> bytes:
    """A PNG that states a size and has this data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    words = chunk(b"zTXt", b"a\0\0" + zlib.compress(text)) if text else b""
    return b"\x89PNG\r\n\x1a\n" + header + words + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def resized_header(photo: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header states another size."""
    at = photo.index(b"\xff\xc0") + 5
    return photo[:at] + struct.pack(">HH", height, width) + photo[at + 4 :]


def zipped(content: bytes) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", content)
    return buffer.getvalue()


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def animated(frames: int) -> bytes:
    """A GIF of many frames."""
    buffer = io.BytesIO()
    images_ = [Image.new("L", (32, 32), i % 256) for i in range(frames)]
    images_[0].save(buffer, "GIF", save_all=True, append_images=images_[1:])
    return buffer.getvalue()
