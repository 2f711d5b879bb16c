"""Requests that mean harm get a 4xx with a clear body; the service goes on."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter

import pytest

import hostile
from mien.service.tokens import add_token
from tests.service.conftest import Running, Start, wait_for
from tests.waiting import PATIENCE_S, eventually


def test_requests_that_mean_harm_are_refused_in_words(shared: Running, photo: bytes) -> None:
    client = shared.client()
    problems = []
    for request in hostile.everything(photo):
        problems.append(hostile.problem_of(request, request.send(client)))
    assert [problem for problem in problems if problem] == []
    assert client.post("/v1/predict", content=photo).status_code == 200
    assert not [path for path in (shared.settings.data / "jobs").iterdir() if path.name.startswith(".")]


def test_a_job_of_hostile_files_ends_with_a_row_for_each(start_service: Start, photo: bytes) -> None:
    service = start_service()
    contents = [one.content for one in hostile.images(photo) if one.content]
    names = [hostile.NAMES[i % len(hostile.NAMES)] or "empty" for i in range(len(contents))]
    uploads = [("files", (name, content)) for name, content in zip(names, contents, strict=True)]
    client = service.client()
    job = client.post("/v1/jobs", files=uploads).json()["id"]
    status = wait_for(client, job, "done", "failed")
    rows = client.get(f"/v1/jobs/{job}/result", params={"format": "json"}).json()
    assert (status["state"], status["files"]) == ("done", len(contents))
    assert status["done"] == status["total"] >= len(contents)  # each frame of an animation counts
    assert len({row["source"] for row in rows}) == len(contents)
    text = str(rows)
    assert not [word for word in ("Traceback", str(service.settings.data), "root:x:0") if word in text]
    assert client.post("/v1/predict", content=photo).status_code == 200


def test_what_is_no_http_is_refused(shared: Running, photo: bytes) -> None:
    for name, response in hostile.raw(shared.port):
        assert not response or response.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (name, response[:200])
    assert shared.client().post("/v1/predict", content=photo).status_code == 200


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"POST /v1/predict HT",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nabc",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n",
    ],
    ids=["nothing", "headers", "body", "form"],
)
def test_slow_senders_are_cut_off(start_service: Start, begin: bytes) -> None:
    service = start_service(timeout_s=0.4, headers_s=0.4)
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.sendall(begin)
        response = b""
        while piece := connection.recv(65536):
            response += piece
    assert begin == b"" or response.startswith(b"HTTP/1.1 408")


def test_a_sender_of_single_bytes_is_cut_off(start_service: Start) -> None:
    service = start_service(timeout_s=0.5)
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < PATIENCE_S:
                connection.sendall(b"a")
                time.sleep(0.05)
    assert time.monotonic() - began < PATIENCE_S


def test_connections_beyond_the_limit_are_refused(start_service: Start) -> None:
    service = start_service(max_connections=2)
    open_ones = [socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) for _ in range(3)]
    assert open_ones[2].recv(1000).startswith(b"HTTP/1.1 429")
    for one in open_ones:
        one.close()


def test_memory_for_images_is_bounded(start_service: Start, photo: bytes) -> None:
    service = start_service(max_pending_mib=1.0, max_mib=1.0)
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as one:
        one.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + bytes(900_000)
        )
        eventually(lambda: service.state.memory.held >= 900_000)
        response = service.client().post("/v1/predict", content=photo + bytes(900_000))
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    eventually(lambda: not service.state.memory.held)
    assert service.client().post("/v1/predict", content=photo).status_code == 200


def opened(service: Running, token: str, begin: bytes, count: int) -> list[socket.socket]:
    """So many requests of a client that begin and do not end."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token.encode() + b"\r\n"
    sockets = []
    for _ in range(count):
        sockets.append(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S))
        sockets[-1].sendall(head + begin)
    return sockets


def status_of(connection: socket.socket) -> tuple[int, bytes]:
    """Of the error on a connection, and all of it."""
    response = b""
    with connection:
        while not response.endswith(b"}}"):
            response += connection.recv(65536)
    return int(response.split(b" ")[1]), response


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LONG = b"Content-Length: 900000\r\n\r\n"


@pytest.mark.parametrize("begin", [CHUNKED, LONG], ids=["chunked", "length"])
def test_requests_without_bytes_hold_up_no_other_client(start_service: Start, photo: bytes, begin: bytes) -> None:
    service = start_service(auth=True, timeout_s=3.0, queue=8, max_mib=1.0, max_pending_mib=8.0)
    tokens = [add_token(service.state.engine, name) for name in ("idle", "other")]
    time.sleep(1.1)
    idle = opened(service, tokens[0], begin, 40)
    eventually(lambda: service.state.gatherer.arriving_of(tokens[0].split("_")[1]) >= 4)
    for _ in range(3):
        assert service.client(tokens[1]).post("/v1/predict", content=photo).status_code == 200
    statuses = Counter(status for status, response in map(status_of, idle) if b"retry-after" in response)
    assert statuses.keys() == {408, 429}
    assert statuses.total() == len(idle)
    eventually(lambda: not service.state.memory.held)
    assert service.client(tokens[0]).post("/v1/predict", content=photo).status_code == 200


def test_one_client_holds_no_more_than_its_share_of_the_memory(start_service: Start, photo: bytes) -> None:
    service = start_service(auth=True, max_mib=1.0, max_pending_mib=4.0)
    tokens = [add_token(service.state.engine, name) for name in ("large", "other")]
    time.sleep(1.1)
    large = opened(service, tokens[0], LONG + bytes(890_000), 2)
    eventually(lambda: service.state.memory.held >= 2 * 890_000)
    response = service.client(tokens[0]).post("/v1/predict", content=photo + bytes(900_000))
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert "hold nearly 2 MiB of images, the limit of one client" in response.json()["error"]["message"]
    (chunked,) = opened(service, tokens[0], CHUNKED + b"80000\r\n" + bytes(2**19) + b"\r\n", 1)  # unsaid before
    assert b" 429 " in chunked.recv(65536)
    assert service.client(tokens[1]).post("/v1/predict", content=photo + bytes(900_000)).status_code == 200
    for one in (*large, chunked):
        one.close()
    eventually(lambda: not service.state.memory.held)
    assert service.client(tokens[0]).post("/v1/predict", content=photo).status_code == 200


def test_uploads_of_jobs_without_bytes_hold_up_no_other_client(start_service: Start, photo: bytes) -> None:
    service = start_service(auth=True, jobs=4, timeout_s=3.0)
    tokens = [add_token(service.state.engine, name) for name in ("idle", "other")]
    time.sleep(1.1)
    sockets = []
    for _ in range(12):
        sockets.append(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S))
        sockets[-1].sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + tokens[0].encode()
            + b"\r\nContent-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )  # fmt: skip
    eventually(lambda: len(service.state.incoming) == 2)
    assert service.client(tokens[1]).post("/v1/jobs", files={"files": photo}).status_code == 202
    assert {status for status, _ in map(status_of, sockets)} == {408, 429}
    eventually(lambda: not service.state.incoming)
    assert len(list((service.settings.data / "jobs").iterdir())) == 1


def test_a_job_without_a_boundary_leaves_nothing(start_service: Start) -> None:
    service = start_service()
    headers = {"Content-Type": "multipart/form-data"}
    response = service.client().post("/v1/jobs", content=b"--x\r\n", headers=headers)
    assert (response.status_code, "no boundary" in response.text) == (400, True)
    assert not service.state.incoming
    assert not list((service.settings.data / "jobs").iterdir())


def test_a_sender_that_goes_leaves_nothing(start_service: Start, caplog: pytest.LogCaptureFixture) -> None:
    service = start_service()
    head = b"Host: localhost\r\nContent-Length: 99999\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
    for path, body in ((b"/v1/predict", b"abc"), (b"/v1/jobs", hostile.part('name="files"; filename="a"', b"abc"))):
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\n" + head + body.replace(b"-" + b"x" * 20, b"-x"))
            time.sleep(0.2)
    time.sleep(0.3)
    eventually(lambda: not list((service.settings.data / "jobs").iterdir()) and not service.state.memory.held)
    assert not [record for record in caplog.records if record.exc_info and record.name == "mien.service"]
    assert service.client().get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 99999999", b"Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
def test_who_is_refused_while_sending_sees_the_response(start_service: Start, framing: bytes) -> None:
    service = start_service(max_mib=1.0)
    piece = bytes(2**20)
    body = (b"100000\r\n" + piece + b"\r\n" if b"chunked" in framing else piece) * 40  # a proxy does not wait
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n")
        connection.sendall(body)
        response = connection.recv(65536)
    assert response.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in response.lower()
    assert service.client().get("/healthz").json() == {"status": "ok"}


def test_slow_readers_are_cut_off(start_service: Start) -> None:
    service = start_service(reader_s=0.4, max_connections=1)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", service.port))
        # more than the system keeps for a reader that takes nothing
        slow.sendall(4 * b"GET /models/default/default.onnx HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        time.sleep(2)
        response = service.client().get("/healthz")  # there is room again
    assert response.status_code == 200
