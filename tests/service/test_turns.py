"""Many jobs of one client, or a long one, do not hold up those of the others."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from mien.service.database import open_database
from mien.service.job_store import Job, JobFile, JobStore
from mien.service.job_turns import WaitingJob, in_turn
from mien.service.tokens import add_token
from tests.service.conftest import Running, Start, wait_for


def submitted(store: JobStore, number: str, owner: str) -> Job:
    """A queued job."""
    return store.add(number, owner=owner, key=None, options={}, files=[JobFile("a", None)], size=1)


def clients(service: Running, *names: str) -> list[httpx.Client]:
    """Clients with a token each."""
    made = [service.client(add_token(service.state.engine, name)) for name in names]
    time.sleep(1.1)  # until the service has read them
    return made


def test_each_client_has_one_job_in_each_round() -> None:
    waiting = [WaitingJob(f"a{i}", "a", 0, i) for i in range(3)]
    waiting += [WaitingJob("b0", "b", 0, 10), WaitingJob("b1", "b", 0, 11), WaitingJob("new", "c", 0, 12)]
    waiting += [WaitingJob("fatal", "d", 2, 0)]
    order = [job.id for job in in_turn(reversed(waiting), {"a": 100.0, "b": 50.0})]
    assert order == ["new", "b0", "a0", "b1", "a1", "a2", "fatal"]
    assert in_turn([], {}) == []


def test_turns_and_places_survive_a_restart(database: str | None, tmp_path: Path) -> None:
    engine = open_database(database or f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    store, elsewhere = (JobStore(engine, name, keep_s=60) for name in ("here", "elsewhere"))
    many = [submitted(store, f"a{i}", "a") for i in range(4)]
    other = submitted(elsewhere, "x", "x")  # in another queue of the same database
    begun = []
    for _ in range(2):
        job = store.claim()
        assert job is not None
        store.finish(job.id, "done")
        begun.append(job.id)
    late = submitted(store, "b0", "b")
    engine.dispose()
    engine = open_database(database or f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    store = JobStore(engine, "here", keep_s=60)
    assert store.positions([*many, late, other]) == {"b0": 1, "a2": 2, "a3": 3, "x": 1}
    first = store.claim()
    assert first is not None
    assert store.makes_way(first)
    submitted(store, "c0", "c")
    assert store.positions([*many]) == {"a2": 2, "a3": 3}
    store.release(first.id)  # as an interrupted job is
    while (job := store.claim()) is not None:
        begun.append(job.id)
        store.finish(job.id, "done")
    engine.dispose()
    assert begun == ["a0", "a1", "c0", "a2", "b0", "a3"]


def test_a_job_makes_way_for_other_clients_alone(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    store = JobStore(engine, "here", keep_s=60)
    submitted(store, "a0", "a")
    submitted(store, "a1", "a")
    first = store.claim()
    assert first is not None
    assert not store.makes_way(first)
    submitted(store, "fatal", "b")
    fatal = store.claim()
    assert fatal is not None
    store.requeue()  # it has ended the process
    assert store.positions([store.get("fatal", "b")]) == {"fatal": 3}
    engine.dispose()


def test_the_first_job_of_a_client_does_not_wait_for_all_of_another(start_service: Start, photo: bytes) -> None:
    many, few = clients(start_service(auth=True, jobs=40), "many", "few")
    uploads = [("files", (f"{i}.jpg", photo)) for i in range(4)]
    theirs = [many.post("/v1/jobs", files=uploads).json()["id"] for _ in range(12)]
    mine = few.post("/v1/jobs", files={"files": photo}).json()
    assert mine["position"] in (1, None)
    places = [job["position"] for job in many.get("/v1/jobs").json()["jobs"] if job["state"] == "queued"]
    assert sorted(places) == list(range(max(places) - len(places) + 1, max(places) + 1))
    assert wait_for(few, mine["id"], "done")["position"] is None
    assert many.get(f"/v1/jobs/{theirs[-1]}").json()["state"] == "queued"


def test_a_long_job_makes_way_and_loses_nothing(
    start_service: Start, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.service.job_runner.TURN_S", 0.0)
    monkeypatch.setattr("mien.service.job_runner.NOTE_S", 0.0)
    long, short = clients(start_service(auth=True), "long", "short")
    names = [f"{i:02d}.jpg" for i in range(60)]
    job = long.post("/v1/jobs", files=[("files", (name, photo)) for name in names]).json()["id"]
    wait_for(long, job, "running")
    for _ in range(3):
        wait_for(short, short.post("/v1/jobs", files={"files": photo}).json()["id"], "done")
    assert long.get(f"/v1/jobs/{job}").json()["state"] in ("queued", "running")
    rows = long.get("/" + wait_for(long, job, "done")["result"]["json"]).json()
    assert [row["source"] for row in rows] == names


@pytest.mark.slow
def test_a_video_that_makes_way_again_and_again_comes_to_its_end(
    start_service: Start, photo: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, astronaut: np.ndarray
) -> None:
    pytest.importorskip("av")
    from mien.media.encode import VideoWriter

    with VideoWriter(tmp_path / "talk.mp4", (256, 256), fps=10) as video:
        for i in range(140):
            video.write(np.ascontiguousarray(astronaut[: 2 * 256 : 2, : 2 * 256 : 2]), i / 10)
    uploads = {"files": ("talk.mp4", (tmp_path / "talk.mp4").read_bytes())}
    service = start_service(auth=True)
    long, short = clients(service, "long", "short")
    whole = wait_for(long, long.post("/v1/jobs", files=uploads).json()["id"], "done")
    monkeypatch.setattr("mien.service.job_runner.TURN_S", 0.0)
    monkeypatch.setattr("mien.service.job_runner.NOTE_S", 0.0)
    job = long.post("/v1/jobs", files=uploads).json()["id"]
    wait_for(long, job, "running")
    begun, others = set(), 0
    while (status := long.get(f"/v1/jobs/{job}").json())["state"] != "done":
        begun.add(status["started"])
        wait_for(short, short.post("/v1/jobs", files={"files": photo}).json()["id"], "done")
        others += 1
    assert others > 1
    tables = [long.get("/" + one["result"]["json"]).json() for one in (whole, status)]
    assert tables[0] == tables[1]
    assert [row["frame"] for row in tables[1]] == list(range(140))


def test_one_client_may_have_no_more_than_its_share_of_the_jobs(start_service: Start, photo: bytes) -> None:
    service = start_service(auth=True, jobs=4)
    many, few = clients(service, "many", "few")
    uploads = [("files", (f"{i}.jpg", photo)) for i in range(40)]
    taken = [many.post("/v1/jobs", files=uploads) for _ in range(2)]
    assert [one.status_code for one in taken] == [202, 202]
    refused = many.post("/v1/jobs", files=uploads)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert refused.json()["error"]["message"].startswith("2 of your jobs wait, the limit of one client")
    assert few.post("/v1/jobs", files={"files": photo}).status_code == 202
    for one in taken:
        many.delete(f"/v1/jobs/{one.json()['id']}")
    assert many.post("/v1/jobs", files={"files": photo}).status_code == 202
