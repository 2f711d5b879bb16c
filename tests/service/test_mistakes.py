"""Mistakes that honest clients make: each is refused in words that lead on."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.service.conftest import Running, Start, wait_for

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"
MP4 = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2"


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """An install that reads no HEIC."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "mien.service.image_work.find_spec", lambda name: None if name == "pillow_heif" else find_spec(name)
    )


@pytest.mark.parametrize(("path", "field"), [("/v1/predict", "image"), ("/v1/jobs", "files")])
def test_a_path_in_place_of_a_file_is_explained(shared: Running, path: str, field: str) -> None:
    response = shared.client().post(path, files=[(field, (None, "photo.jpg"))])  # curl -F image=photo.jpg
    assert response.status_code == 422
    assert f"curl -F {field}=@photo.jpg" in response.json()["error"]["message"]


def test_a_packed_body_is_refused(shared: Running, photo: bytes) -> None:
    response = shared.client().post("/v1/predict", content=photo, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert "without Content-Encoding" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "values", [{"params": {"treshold": "0.3"}}, {"data": {"treshold": "0.3"}}], ids=["query", "form"]
)
def test_an_unknown_option_is_named(shared: Running, photo: bytes, values: dict[str, Any]) -> None:
    response = shared.client().post("/v1/predict", files={"image": photo}, **values)
    assert response.status_code == 422
    assert response.json()["error"]["message"] == "treshold: there is no such option; /openapi.json lists them"


@pytest.mark.parametrize(
    "options",
    [{"start_s": "5", "end_s": "2"}, {"fps": "5", "every": "2"}],
    ids=["end before start", "fps and every"],
)
@pytest.mark.parametrize("where", ["params", "data"])
def test_a_job_whose_options_exclude_each_other_is_refused_at_once(
    shared: Running, photo: bytes, options: dict[str, str], where: str
) -> None:
    http = shared.client()
    before = len(http.get("/v1/jobs").json()["jobs"])
    values: dict[str, Any] = {where: options}
    response = http.post("/v1/jobs", files={"files": photo}, **values)
    assert (response.status_code, response.json()["error"]["type"]) == (422, "OptionError")
    assert len(http.get("/v1/jobs").json()["jobs"]) == before


@pytest.mark.usefixtures("without_heif")
def test_files_that_the_service_does_not_read_have_a_remedy_for_their_sender(
    start_service: Start, photo: bytes
) -> None:
    http = start_service().client()
    video, heic = (http.post("/v1/predict", content=content) for content in (MP4, HEIC))
    assert video.json()["error"]["message"] == "image: is a video, not an image; send it to POST /v1/jobs"
    assert heic.json()["error"]["message"] == "image: is HEIC, which this service does not read; send it as JPEG"
    files = [("files", ("a.heic", HEIC)), ("files", ("a.jpg", photo))]
    job = http.post("/v1/jobs", files=files).json()["id"]
    assert wait_for(http, job, "done")["unreadable"] == 1
    rows = http.get(f"/v1/jobs/{job}/result").json()
    assert "send it as JPEG" in rows[0]["error"]
    assert rows[1]["expression"] == "happiness"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/models/default/manifest.json", "/"])
def test_head_is_get_without_its_body(shared: Running, path: str) -> None:
    http = shared.client()
    head, get = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "cache-control"):
        assert head.headers[name] == get.headers[name]
    assert http.head("/v1/predict").status_code == 405
    assert http.post("/healthz").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain", "/v1/jobs"])
def test_an_option_that_is_there_twice_is_refused(shared: Running, photo: bytes, path: str) -> None:
    query: Any = [("threshold", "0.1"), ("threshold", "0.9")]
    response = shared.client().post(path, files={"image": photo}, params=query)
    assert response.status_code == 422
    assert response.json()["error"]["message"] == "the option 'threshold' is there twice; give it once"
