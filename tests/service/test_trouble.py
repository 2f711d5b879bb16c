"""A full disk, a database that is away, jobs that are cancelled or expire at the worst moment."""

from __future__ import annotations

import errno
import json
import random
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from mien.service import job_files
from mien.service.database import open_database
from mien.service.job_store import JobFile, JobStore
from tests.service.conftest import Start, wait_for

AWAY = OperationalError("SELECT 1", {}, Exception("the server closed the connection"))


def raising(error: Exception, *, times: int) -> Any:
    """A function that raises the first `times`, then calls the one that it stands for."""
    left = iter(range(times))

    def instead_of(function: Any) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            if next(left, None) is not None:
                raise error
            return function(*values, **named)

        return call

    return instead_of


def test_a_full_disk_is_said_and_nothing_is_left(
    start_service: Start, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = raising(OSError(errno.ENOSPC, "No space left on device", "/secret/place"), times=1)
    monkeypatch.setattr(job_files._FileSink, "write", full(job_files._FileSink.write))
    http = start_service().client()
    response = http.post("/v1/jobs", files={"files": ("a.jpg", photo)})
    assert (response.status_code, response.headers["retry-after"]) == (507, "60")
    assert response.json()["error"]["message"] == "the disk of the service is full; try again later"
    assert not list((tmp_path / "data/jobs").iterdir())
    job = http.post("/v1/jobs", files={"files": ("a.jpg", photo)}).json()
    assert wait_for(http, job["id"], "done")["unreadable"] == 0


def test_a_slow_disk_holds_up_nobody_else(
    start_service: Start, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, served = threading.Event(), threading.Event()
    close = job_files._FileSink.close

    def slow(sink: Any) -> None:
        began.set()
        served.wait(20)
        close(sink)

    monkeypatch.setattr(job_files._FileSink, "close", slow)
    service = start_service()
    url, statuses = service.url, []
    upload = threading.Thread(
        target=lambda: statuses.append(httpx.post(f"{url}/v1/jobs", files={"files": photo}, timeout=60).status_code)
    )
    upload.start()
    assert began.wait(20)
    assert httpx.get(f"{url}/healthz", timeout=10).status_code == 200
    served.set()
    upload.join()
    assert statuses == [202]


def test_a_job_goes_on_when_the_database_is_back(
    start_service: Start, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobStore, "progress", raising(AWAY, times=1)(JobStore.progress))
    monkeypatch.setattr(JobStore, "release", raising(AWAY, times=1)(JobStore.release))
    http = start_service().client()
    job = http.post("/v1/jobs", files=[("files", (f"{i}.jpg", photo)) for i in range(3)]).json()
    status = wait_for(http, job["id"], "done", "failed")
    assert (status["state"], status["done"]) == ("done", 3)


def test_requests_without_the_database_are_told_to_come_again(
    start_service: Start, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobStore, "of", raising(AWAY, times=1)(JobStore.of))
    http = start_service().client()
    response = http.get("/v1/jobs")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["error"]["message"] == "the database does not respond; try again later"
    assert http.get("/v1/jobs").json() == {"jobs": []}


def test_a_result_that_expires_is_read_to_its_end(start_service: Start, photo: bytes) -> None:
    http = start_service().client()
    job = http.post("/v1/jobs", files=[("files", (f"{i}.jpg", photo)) for i in range(3)]).json()
    wait_for(http, job["id"], "done")
    path = f"/v1/jobs/{job['id']}/result"
    whole = http.get(path).json()
    with http.stream("GET", path) as response:
        ended = httpx.delete(f"{http.base_url}/v1/jobs/{job['id']}")
        rows = json.loads(response.read())
    assert (ended.json()["state"], rows) == ("expired", whole)
    assert http.get(path).status_code == 410


def test_a_result_whose_file_has_just_gone_has_expired(start_service: Start, photo: bytes, tmp_path: Path) -> None:
    http = start_service().client()
    job = http.post("/v1/jobs", files={"files": ("a.jpg", photo)}).json()
    wait_for(http, job["id"], "done")
    (tmp_path / f"data/jobs/{job['id']}/result.parquet").unlink()
    for kind in ("json", "csv", "parquet"):
        response = http.get(f"/v1/jobs/{job['id']}/result", params={"format": kind})
        assert response.status_code == 410, response.text


def test_a_job_is_cancelled_once_whatever_happens_beside(database: str | None, tmp_path: Path) -> None:
    """Its files are given up by the one who cancels it where nobody claimed it, else by its runner."""
    engine = open_database(database or f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    store = JobStore(engine, "here", keep_s=60)
    rng, claimed = random.Random(0), []
    for i in range(60):
        store.add(f"{i}", owner="", key=None, options={}, files=[JobFile("a", None)], size=1)
    ending = threading.Event()

    def claim() -> None:
        while not ending.is_set():
            if (job := store.claim()) is not None:
                claimed.append(job.id)
                if rng.random() < 0.5:
                    store.finish(job.id, "done")

    runner = threading.Thread(target=claim)
    runner.start()
    given = [number for number in map(str, range(59, -1, -1)) if store.cancel(number, "")]
    ending.set()
    runner.join()
    states = {number: store.get(number, "").state for number in map(str, range(60))}
    engine.dispose()
    assert set(states.values()) <= {"cancelled", "expired"}
    for number, state in states.items():
        assert (number in given) == (state == "expired" or number not in claimed), (number, state)
