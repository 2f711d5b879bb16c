"""Jobs: states, results in each format, cancel, expiry, and a restart; on SQLite and on PostgreSQL."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import hostile
import mien
from mien.service.client import Client
from tests.conftest import EXAMPLES
from tests.service.conftest import Start, wait_for
from tests.waiting import PATIENCE_S, eventually


def test_a_job_has_the_rows_of_the_library_in_each_format(
    start_service: Start, database: str | None, photo: bytes, recognizer: mien.Recognizer, tmp_path: Path
) -> None:
    service = start_service(database=database)
    http = service.client()
    uploads = [("files", ("holiday/a.jpg", photo)), ("files", ("notes.txt", b"hello")), ("files", ("a.jpg", photo))]
    submitted = http.post("/v1/jobs", files=[*uploads, ("files", ("a.jpg", photo))], data={"min_confidence": "1"})
    assert submitted.status_code == 202
    status = wait_for(http, submitted.json()["id"], "done")
    assert (status["files"], status["unreadable"], status["done"], status["total"]) == (4, 1, 3, 3)
    table = pq.read_table(io.BytesIO(http.get("/" + status["result"]["parquet"]).content))
    assert table["source"].to_pylist() == ["holiday/a.jpg", "notes.txt", "a.jpg", "a.jpg (2)"]
    assert "neither an image nor a video" in table["error"][1].as_py()
    assert table["certain"].to_pylist() == [False, None, False, False]
    (tmp_path / "a.jpg").write_bytes(photo)
    local = recognizer.predict_many([tmp_path / "a.jpg"])
    assert table.column_names == local.column_names
    assert table["p_happiness"][0].as_py() == pytest.approx(local["p_happiness"][0].as_py(), abs=1e-5)
    rows = http.get("/" + status["result"]["json"]).json()
    assert rows == table.to_pylist()
    lines = http.get("/" + status["result"]["csv"]).text.splitlines()
    assert lines[0].split(",") == table.column_names
    assert len(lines) == 5
    assert [path.name for path in (tmp_path / "data/jobs" / status["id"]).iterdir()] == ["result.parquet"]


def test_a_video_is_tracked(start_service: Start, tmp_path: Path, astronaut: np.ndarray) -> None:
    pytest.importorskip("av")
    from mien.media.encode import VideoWriter

    with VideoWriter(tmp_path / "talk.mp4", (256, 256), fps=10) as video:
        for i in range(12):
            video.write(np.ascontiguousarray(astronaut[: 2 * 256 : 2, : 2 * 256 : 2]), i / 10)
    with Client(start_service().url) as client:
        job = client.submit([tmp_path / "talk.mp4"], every=2)
        table = client.result(job)
        client.cancel(job)
        with pytest.raises(mien.ServiceError, match="expired"):
            client.result(job)
    assert table["source"].to_pylist() == ["talk.mp4"] * 6
    assert table["frame"].to_pylist() == [0, 2, 4, 6, 8, 10]
    assert set(table["track"].to_pylist()) == {0}


def test_the_same_key_is_the_same_job(start_service: Start, photo: bytes) -> None:
    http = start_service().client()
    files, headers = {"files": ("a.jpg", photo)}, {"Idempotency-Key": "run 7"}
    first = http.post("/v1/jobs", files=files, headers=headers).json()
    again = http.post("/v1/jobs", files=files, headers=headers).json()
    other = http.post("/v1/jobs", files=files).json()
    assert first["id"] == again["id"] != other["id"]
    assert len(http.get("/v1/jobs").json()["jobs"]) == 2
    for changed in (
        {"files": {"files": ("a.jpg", photo + b"x")}},
        {"files": {"files": ("b.jpg", photo)}},
        {"files": files, "params": {"priors": "balanced"}},
    ):
        refused = http.post("/v1/jobs", headers=headers, **changed)
        assert refused.status_code == 422
        assert f"made job {first['id']} of other files or options" in refused.text
    assert len(http.get("/v1/jobs").json()["jobs"]) == 2


def test_a_job_can_be_cancelled_and_leaves_nothing(start_service: Start, photo: bytes, tmp_path: Path) -> None:
    http = start_service().client()
    jobs = [
        http.post("/v1/jobs", files=[("files", (f"{i}.jpg", photo)) for i in range(40)]).json() for _ in range(2)
    ]
    wait_for(http, jobs[0]["id"], "running")
    for job in jobs:
        assert http.delete(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
        assert http.get(f"/v1/jobs/{job['id']}/result").status_code == 409
    last = http.post("/v1/jobs", files={"files": photo}).json()
    wait_for(http, last["id"], "done")
    assert [path.name for path in (tmp_path / "data/jobs").iterdir()] == [last["id"]]


def test_results_expire(
    start_service: Start, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.service.job_runner.EXPIRE_S", 0.2)
    http = start_service(keep_hours=0.5 / 3600).client()
    job = http.post("/v1/jobs", files={"files": ("secret name.jpg", photo)}).json()["id"]
    wait_for(http, job, "expired")
    assert http.get(f"/v1/jobs/{job}/result").status_code == 410
    assert not list((tmp_path / "data/jobs").iterdir())
    assert b"secret name" not in (tmp_path / "data/service.sqlite").read_bytes()


def test_a_job_goes_on_after_a_restart(start_service: Start, database: str | None, photo: bytes) -> None:
    before = start_service(database=database)
    http = before.client()
    names = [f"{i:02d}.jpg" for i in range(24)]
    job = http.post("/v1/jobs", files=[("files", (name, photo)) for name in names]).json()["id"]
    while not http.get(f"/v1/jobs/{job}").json()["done"] > 0:
        pass
    before.close()
    after = start_service(database=database)
    status = wait_for(after.client(), job, "done")
    rows = after.client().get("/" + status["result"]["json"]).json()
    assert [row["source"] for row in rows] == names


def test_a_job_of_many_files_beyond_the_limits_is_refused(
    start_service: Start, photo: bytes, tmp_path: Path
) -> None:
    http = start_service(job_files=2, job_mib=0.05, jobs=2).client()
    three = http.post("/v1/jobs", files=[("files", (f"{i}.jpg", b"\xff\xd8\xff")) for i in range(3)])
    assert three.json()["error"]["message"] == "a job has at most 2 files; send several jobs"
    assert http.post("/v1/jobs", files={"files": bytes(60_000)}).status_code == 413
    assert http.post("/v1/jobs", data={"every": "2"}, files={"files": b""}).status_code == 202
    assert http.post("/v1/jobs", content=b"x").status_code == 415
    assert http.post("/v1/jobs", files={"files": photo}, data={"every": "0"}).status_code == 422
    assert not [path for path in (tmp_path / "data/jobs").iterdir() if path.name.startswith(".")]


def test_a_folder_is_for_one_service(start_service: Start, tmp_path: Path) -> None:
    from mien.service.job_files import DataFolder

    start_service()
    with pytest.raises(mien.OutputError, match="another mien serve"):
        DataFolder(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_what_a_job_is_not_for_is_named(start_service: Start) -> None:
    http = start_service().client()
    video = http.post("/v1/jobs", files={"files": ("song.mp4", (EXAMPLES / "README.md").read_bytes())}).json()
    status = wait_for(http, video["id"], "done")
    assert "neither" in http.get("/" + status["result"]["json"]).json()[0]["error"]


def test_uploads_that_are_being_received_count_for_the_space(start_service: Start, photo: bytes) -> None:
    service = start_service(jobs_mib=0.5)
    http = service.client()
    content = photo + bytes(300_000)
    head = hostile.part('name="files"; filename="a.jpg"', content).replace(b"-" + b"x" * 20, b"-x")
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as one:
        one.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + head
        )
        eventually(lambda: any(upload.size >= len(content) for upload in tuple(service.state.incoming)))
        response = http.post("/v1/jobs", files={"files": content})
        assert (response.status_code, response.headers["retry-after"]) == (429, "30")
        assert "fill their space" in response.json()["error"]["message"]
    eventually(lambda: not service.state.incoming)
    assert http.post("/v1/jobs", files={"files": content}).status_code == 202


def test_why_there_is_no_result_is_said(start_service: Start, photo: bytes) -> None:
    service = start_service()
    http = service.client()
    service.state.recognizers.of = None  # type: ignore[assignment, method-assign]
    job = http.post("/v1/jobs", files={"files": photo}).json()["id"]
    error = wait_for(http, job, "failed")["error"]
    assert error
    assert error in http.get(f"/v1/jobs/{job}/result").json()["error"]["message"]
