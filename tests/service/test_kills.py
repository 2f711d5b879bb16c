"""A service that is killed in the middle of jobs loses none and does none twice."""

from __future__ import annotations

from pathlib import Path

import pytest

import service_kills
import service_process
from tests.waiting import PATIENCE_S


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--batch-size", "1")], ids=["sqlite", "postgresql"])
def test_no_job_is_lost_and_none_done_twice(
    tmp_path: Path, request: pytest.FixtureRequest, options: tuple[str, ...]
) -> None:
    if options:
        options = ("--database", request.getfixturevalue("cluster").new_database())
    result = service_kills.run(3, 6, tmp_path, *options)
    wrong = {name: count for name, count in result.items() if name not in ("kills", "jobs", "jobs seen")}
    assert result["jobs"] == result["jobs seen"] == 3
    assert not any(wrong.values()), wrong


@pytest.mark.slow
def test_a_service_that_is_told_to_end_finishes_what_it_took(tmp_path: Path, photo: bytes) -> None:
    import threading

    import httpx

    service = service_process.ServiceProcess(tmp_path / "data", "--workers", "1", "--batch-size", "1").start()
    statuses: list[int] = []

    def predict() -> None:
        statuses.append(httpx.post(f"{service.url}/v1/predict", content=photo, timeout=PATIENCE_S).status_code)

    threads = [threading.Thread(target=predict) for _ in range(12)]
    for thread in threads:
        thread.start()
    while service_waiting(service) < 3:
        pass
    assert service.stop() == 0
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


def service_waiting(service: service_process.ServiceProcess) -> float:
    import httpx

    text = httpx.get(f"{service.url}/metrics", timeout=PATIENCE_S).text
    return float(text.split("\nmien_waiting_requests ")[1].split("\n")[0])
