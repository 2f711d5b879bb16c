"""Who is let in, which headers responses have, what the log keeps to itself."""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path

import pytest

from mien.cli.app import run
from mien.errors import OptionError, ServiceError, UnknownNameError
from mien.service.database import open_database
from mien.service.logs import JsonFormatter
from mien.service.settings import ServiceSettings
from mien.service.tokens import TokenCheck, add_token, list_tokens, revoke_token
from tests.service.conftest import Running, Start, wait_for
from tests.waiting import eventually

CLOSED = ("/v1/models", "/v1/jobs", "/v1/jobs/0", "/v1/jobs/0/result", "/metrics")


def test_tokens_open_and_close_the_service(start_service: Start, photo: bytes, database: str | None) -> None:
    service = start_service(auth=True, database=database)
    token = add_token(service.state.engine, "Ada's laptop")
    anonymous, known = service.client(), service.client(token)
    time.sleep(1.1)
    for path in CLOSED:
        response = anonymous.get(path)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer realm="mien"')
    assert anonymous.post("/v1/predict", content=photo).status_code == 401
    assert known.post("/v1/predict", content=photo).status_code == 200
    assert [anonymous.get(path).status_code for path in ("/healthz", "/readyz", "/openapi.json")] == [200] * 3
    revoke_token(service.state.engine, token.split("_")[1])
    time.sleep(1.1)
    assert known.get("/v1/models").status_code == 401


def test_jobs_are_their_owner_s(start_service: Start, photo: bytes) -> None:
    service = start_service(auth=True)
    one, other = (service.client(add_token(service.state.engine, name)) for name in ("one", "other"))
    time.sleep(1.1)
    job = one.post("/v1/jobs", files={"files": photo}, headers={"Idempotency-Key": "k"}).json()["id"]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/result")):
        assert other.request(method, f"/v1/jobs/{job}{path}").status_code == 404
    assert other.get("/v1/jobs").json() == {"jobs": []}
    assert other.post("/v1/jobs", files={"files": photo}, headers={"Idempotency-Key": "k"}).json()["id"] != job


def test_a_revoked_token_leaves_no_jobs(
    start_service: Start, photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.service.job_runner.EXPIRE_S", 0.2)
    service = start_service(auth=True)
    tokens = [add_token(service.state.engine, name) for name in ("one", "other")]
    one, other = map(service.client, tokens)
    time.sleep(1.1)
    done = one.post("/v1/jobs", files={"files": photo}).json()["id"]
    wait_for(one, done, "done")
    uploads = [("files", (f"{i}.jpg", photo)) for i in range(200)]
    running, queued = (one.post("/v1/jobs", files=uploads).json()["id"] for _ in range(2))
    wait_for(one, running, "running")
    theirs = other.post("/v1/jobs", files={"files": photo}).json()["id"]
    revoke_token(service.state.engine, tokens[0].split("_")[1])
    wait_for(other, theirs, "done")
    eventually(lambda: [path.name for path in (tmp_path / "data/jobs").iterdir()] == [theirs])
    states = [service.state.jobs.get(job, tokens[0].split("_")[1]).state for job in (done, running, queued)]
    assert states == ["expired"] * 3


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer x", "Basic bWllbjo=", "Bearer mien_", "Bearer mien__", "Bearer mien_é_ü"]
)
def test_what_is_no_token_is_refused(tmp_path: Path, header: str | None) -> None:
    check = TokenCheck(open_database(f"sqlite:///{tmp_path / 'a.sqlite'}"))
    check.refresh()
    with pytest.raises(ServiceError, match="token"):
        check.owner(header)


def test_a_token_is_kept_as_a_hash(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    token = add_token(engine, "  Ada \n Lovelace ")
    check = TokenCheck(engine)
    check.refresh()
    assert check.owner(f"bearer {token}") == list_tokens(engine)[0].id
    assert list_tokens(engine)[0].name == "Ada Lovelace"
    secret = token.split("_", 2)[2]
    engine.dispose()
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
    with pytest.raises(ServiceError):
        check.owner(f"Bearer {token[:-1]}{'a' if token[-1] != 'a' else 'b'}")
    with pytest.raises(UnknownNameError):
        revoke_token(engine, "nobody")
    with pytest.raises(OptionError, match="name"):
        add_token(engine, " ")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_beyond_loopback_tokens_are_needed(host: str) -> None:
    with pytest.raises(OptionError, match="loopback"):
        ServiceSettings(host=host, auth=False)
    assert ServiceSettings(host=host).auth


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.0], ids=str)
@pytest.mark.parametrize("name", ["max_mib", "timeout_s", "keep_hours"])
def test_limits_are_positive_numbers(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=rf"{name} is {value}; give a number above 0"):
        ServiceSettings(**{name: value})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_get_nothing(shared: Running, photo: bytes, headers: dict[str, str]) -> None:
    response = shared.client().post("/v1/predict", content=photo, headers=headers)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
    assert response.json()["error"]["type"] == "ServiceError"


def test_the_own_page_is_let_in(shared: Running, photo: bytes) -> None:
    headers = {"Origin": shared.url, "Sec-Fetch-Site": "same-origin"}
    assert shared.client().post("/v1/predict", content=photo, headers=headers).status_code == 200
    preflight = shared.client().options("/v1/predict", headers={"Origin": "https://evil.example"})
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/v1/models", "/healthz", "/nothing", "/models/default/manifest.json"])
def test_every_response_has_the_security_headers(shared: Running, path: str) -> None:
    headers = shared.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'wasm-unsafe-eval'" in policy
    assert "unsafe-inline" not in policy
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_the_log_has_no_names_and_no_texts_of_errors(
    shared: Running, photo: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret.jpg")

    with caplog.at_level(logging.INFO, logger="mien.service"):
        http = shared.client()
        http.post("/v1/predict", files={"image": ("secret.jpg", photo)}, params={"labels": "raf-db"})
        http.post("/v1/jobs", files={"files": ("secret.jpg", photo)})
        http.get("/secret.jpg")
        monkeypatch.setattr(shared.state.jobs, "of", fail)
        failed = http.get("/v1/jobs")
        eventually(lambda: [record for record in caplog.records if record.exc_info])  # after the response
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert "Traceback" not in failed.text
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert not [line for line in lines if "secret" in line]
    last = next(json.loads(line) for line in lines if '"exception"' in line)
    assert last["exception"] == "RuntimeError"
    assert last["id"] in failed.text
    assert last["raised_at"]


def test_the_commands_manage_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run_token(*words: str) -> tuple[int, str]:
        code = run(["serve", "token", *words, "--data", str(tmp_path / "data")])
        return code, capsys.readouterr().out

    token = run_token("add", "Ada")[1].strip()
    assert token.startswith("mien_")
    number = token.split("_")[1]
    assert "Ada: revoked" in run_token("revoke", number)[1]
    shown = run_token("list")[1]
    assert number in shown
    assert token.split("_", 2)[2] not in shown
    assert run_token("revoke", "nobody")[0] == 2
