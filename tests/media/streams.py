"""Streams of a face over HTTP and RTSP on this machine."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
from av.container import OutputContainer
from PIL import Image

from tests.waiting import eventually


def frames(image: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """The image, moving to the right."""
    for i in range(count):
        yield np.ascontiguousarray(np.roll(image, 2 * i, axis=1))


def mpeg_ts(image: np.ndarray, count: int = 20, fps: int = 10) -> bytes:
    """An MPEG transport stream."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        _send(container, image, count, fps)
    return file.getvalue()


def send_rtsp(address: str, image: np.ndarray, count: int = 20, fps: int = 10) -> None:
    """Send frames to whoever listens at an rtsp:// address, as soon as it does."""

    def begun() -> bool:
        try:
            with av.open(address, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as container:
                _send(container, image, count, fps)
        except ConnectionRefusedError:
            return False
        return True

    eventually(begun)


def _send(container: OutputContainer, image: np.ndarray, count: int, fps: int) -> None:
    stream = container.add_stream("libx264", rate=fps, options={"g": "5", "preset": "ultrafast"})
    stream.height, stream.width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    stream.pix_fmt = "yuv420p"
    for i, pixels in enumerate(frames(image[: stream.height, : stream.width], count)):
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
        frame.pts, frame.time_base = i, Fraction(1, fps)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def mjpeg(image: np.ndarray, count: int = 20) -> Iterator[bytes]:
    """Parts of a multipart stream, as network cameras send it."""
    for pixels in frames(image, count):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {file.tell()}\r\n\r\n"
        yield head.encode() + file.getvalue() + b"\r\n"


@contextmanager
def served(kind: str, chunks: list[bytes], *, pause_s: float = 0.0, forever: bool = False) -> Iterator[str]:
    """The address of a server on 127.0.0.1 that sends these chunks; /missing is a 404."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                while not stop.is_set():
                    for chunk in chunks:
                        self.wfile.write(chunk)
                        stop.wait(pause_s)
                    if not forever:
                        return
            except OSError:  # the reader left
                return

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/live"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
