"""Predictions over HTTP are those of the library, and what is refused says why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import mien
from mien.pipeline.rows import rows_of
from mien.results import ImageResult
from mien.service.client import Client
from tests.service.conftest import Running, Start, small_photo


def same(faces: list[mien.Face], others: list[mien.Face]) -> bool:
    """Up to what a batch of another size changes in the last digits."""
    pairs = zip(faces, others, strict=True)
    return all(
        a.box == b.box and a.expression.values == pytest.approx(b.expression.values, abs=1e-5) for a, b in pairs
    )


def test_body_form_and_client_give_what_the_library_gives(
    shared: Running, photo: bytes, recognizer: mien.Recognizer
) -> None:
    faces = recognizer.predict(photo)
    http = shared.client()
    body = http.post("/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}).json()
    form = http.post("/v1/predict", files={"image": ("photo.jpg", photo)}).json()
    assert len(faces) == 1
    assert same([mien.Face.from_dict(face) for face in body["faces"]], faces)
    assert same([mien.Face.from_dict(face) for face in form["faces"]], faces)
    with Client(shared.url) as client:
        assert same(client.predict(photo), faces)
    row = rows_of(ImageResult("photo.jpg", tuple(faces)), recognizer.labels)[0]
    assert list(form["rows"][0]) == list(row)
    assert form["rows"][0]["expression"] == row["expression"]
    assert (body["width"], body["height"], body["source"]) == (256, 256, "image")


def test_options_come_from_the_query_or_from_fields(shared: Running, photo: bytes) -> None:
    http = shared.client()
    options = {"labels": "raf-db", "min_confidence": "1", "threshold": "0.6", "tta": "true", "priors": "natural"}
    query = http.post("/v1/predict", content=photo, params=options).json()
    fields = http.post("/v1/predict", files={"image": photo}, data=options).json()
    expected = mien.predict(photo, labels="raf-db", min_confidence=1, threshold=0.6, tta=True, priors="natural")
    for result in (query, fields):
        assert same([mien.Face.from_dict(face) for face in result["faces"]], expected)
        assert result["faces"][0]["certain"] is False
        assert result["faces"][0]["reasons"] == ["below 100%"]


def test_an_image_that_is_a_face_needs_no_detection(shared: Running, photo: bytes) -> None:
    result = shared.client().post("/v1/predict", content=photo, params={"detect": False}).json()
    assert [(face["box"], face["detection"]) for face in result["faces"]] == [([0, 0, 256, 256], None)]


def test_requests_at_once_are_predicted_together_and_each_gets_its_own(shared: Running) -> None:
    sides = [200 + 8 * i for i in range(12)]
    photos = [small_photo(side) for side in sides]
    batches = "mien_batch_images_count"
    before = shared.state.metrics.registry.get_sample_value(batches) or 0
    with Client(shared.url) as client, ThreadPoolExecutor(12) as pool:
        results = list(pool.map(client.predict, photos))
    after = shared.state.metrics.registry.get_sample_value(batches) or 0
    assert after - before < 12
    for side, faces in zip(sides, results, strict=True):
        assert faces[0].box.right < side
        assert same(faces, mien.predict(small_photo(side)))


def test_a_large_image_is_not_searched_tile_by_tile(start_service: Start) -> None:
    http = start_service(max_search_megapixels=0.4).client()
    result = http.post("/v1/predict", content=small_photo(700)).json()
    assert (result["small_faces"], len(result["faces"])) == (False, 1)
    refused = http.post("/v1/predict", content=small_photo(700), params={"small_faces": True})
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "OptionError")


@pytest.mark.parametrize(
    ("request_", "status", "kind", "words"),
    [
        ({"params": {"weights": "defualt"}}, 422, "UnknownNameError", "'default'"),
        ({"params": {"threshold": 3}}, 422, "OptionError", "threshold"),
        ({"params": {"treshold": 0.3}}, 422, "OptionError", "treshold"),
        ({"params": {"labels": "ck+"}, "content": b""}, 422, "ServiceError", "no image"),
        ({"params": {"labels": "multi-pie"}}, 422, "OptionError", "squint"),
        ({"content": b"hello"}, 422, "ImageError", "not an image"),
        ({"content": b"hello", "headers": {"Content-Type": "text/plain"}}, 415, "ServiceError", "form"),
        ({"params": {"url": "http://example.org/a.jpg"}}, 403, "ServiceError", "no addresses"),
        ({"params": {"url": "http://example.org/a.jpg"}, "content": b"GIF89a"}, 422, "ServiceError", "one of them"),
        ({"files": [("image", b"a"), ("image", b"b")]}, 400, "ServiceError", "one file"),
        ({"files": {"image": b"a"}, "data": {"treshold": "1"}}, 422, "OptionError", "treshold"),
        ({"content": bytes(3 * 2**20)}, 413, "ServiceError", "2 MiB"),
    ],
)
def test_what_is_refused_says_why(
    shared: Running, request_: dict[str, Any], status: int, kind: str, words: str
) -> None:
    response = shared.client().post("/v1/predict", **request_)
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["status"]) == (status, kind, status)
    assert words in error["message"]


def test_the_client_raises_the_errors_of_the_package(shared: Running) -> None:
    with Client(shared.url) as client:
        with pytest.raises(mien.InputError, match="not an image"):
            client.predict(b"hello")
        with pytest.raises(mien.OptionError, match="threshold"):
            client.predict(b"hello", threshold=7)
        with pytest.raises(mien.ServiceError, match="no such job") as caught:
            client.status("0")
    assert caught.value.status == 404


def test_models_lists_what_the_page_loads(shared: Running) -> None:
    http = shared.client()
    models = http.get("/v1/models").json()
    assert models["default"] == "default"
    entry = next(one for one in models["browser"] if one["name"] == "default")
    manifest = http.get("/" + entry["manifest"]).json()
    for file in entry["files"]:
        content = http.get("/" + file["url"]).content
        assert len(content) == file["bytes"]
        assert manifest["files"][file["name"]] == file["sha256"]


@pytest.mark.parametrize("path", ["default/default.safetensors", "default/../../manifest.py", "nix/manifest.json",
                                  "default/%2e%2e%2f%2e%2e%2fmanifest.py", "..%2f..%2f/manifest.py"])  # fmt: skip
def test_nothing_else_is_served(shared: Running, path: str) -> None:
    assert shared.client().get(f"/models/{path}").status_code == 404
