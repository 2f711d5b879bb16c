"""The page in Chromium: the same numbers as Python, offline, errors, paste, accessibility, the server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.pipeline.table import rows_of
from mien.results import ImageResult
from tests.conftest import EXAMPLES
from tests.web.site import static_site

pytestmark = pytest.mark.slow
MS = 240_000  # on a busy machine


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    """The page of a static site, its networks loaded and its files kept for offline use."""
    with static_site() as address:
        context = chromium.new_context(accept_downloads=True, bypass_csp=True)
        context.set_default_timeout(MS)
        page = context.new_page()
        page.goto(address)
        page.locator("#mode-line", has_text="loaded").wait_for()
        page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
        yield page
        context.close()


def give(page: Any, *files: Path | dict[str, Any]) -> None:
    """Choose files, and wait until they are recognised."""
    page.set_input_files("#files", list(files))
    page.locator("#progress").wait_for(state="visible")
    page.locator("#progress").wait_for(state="hidden")


def rows(page: Any, kind: str = "json") -> Any:
    with page.expect_download() as download:
        page.click(f"[data-download={kind}]")
    content = Path(download.value.path()).read_bytes()
    return json.loads(content) if kind == "json" else content


def same(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Rows within 1e-3 of probability, other measures within their last digit."""
    assert [row["face"] for row in actual] == [row["face"] for row in expected]
    for one, other in zip(actual, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            if not isinstance(value, float):
                assert one[name] == value, name
            elif name.startswith("p_"):
                assert one[name] == pytest.approx(value, abs=1e-3), name
            else:
                assert one[name] == pytest.approx(value, abs=0.02), name


def test_the_browser_predicts_what_python_predicts(page: Any, tmp_path: Path) -> None:
    recognizer = mien.load(precision="float32", threads=1)
    expected = []
    files = []
    for name, image in faces_any_way_up().items():
        files.append(tmp_path / f"{name}.png")
        image.save(files[-1])
        result = ImageResult(files[-1].name, tuple(recognizer.predict(files[-1])))
        expected += rows_of(result, recognizer.labels)
    give(page, *files)
    same(rows(page)[-len(expected) :], expected)


def faces_any_way_up() -> dict[str, Image.Image]:
    """Upright, rolled and turned faces, one so large that it is searched reduced, and several in one image."""
    astronaut, hopper = (Image.open(EXAMPLES / f"{name}.jpg") for name in ("astronaut", "grace_hopper"))
    group = Image.new("RGB", (1100, 500), (90, 110, 80))
    for i in range(5):
        group.paste(astronaut.resize((150, 150)).rotate(90 * i), (40 + 210 * i, 60 + 40 * i))
    return {
        "astronaut": astronaut,
        "hopper": hopper,
        "rolled": astronaut.rotate(40, Image.Resampling.BICUBIC),
        "upside down": hopper.rotate(180),
        "large": astronaut.resize((1500, 1500)).rotate(90),
        "group": group,
    }


def test_offline_after_the_first_load(page: Any) -> None:
    page.context.set_offline(True)
    try:
        page.reload()
        page.locator("#mode-line", has_text="loaded").wait_for()
        assert "no image leaves this device" in page.locator("#mode-line").inner_text()
        assert page.evaluate("() => crossOriginIsolated")
        page.click("#example")
        page.locator(".verdict", has_text="happiness").wait_for()
    finally:
        page.context.set_offline(False)


def test_files_that_are_no_faces(page: Any, tmp_path: Path) -> None:
    plain = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(plain, "PNG")
    give(
        page,
        {"name": "grey.png", "mimeType": "image/png", "buffer": plain.getvalue()},
        {"name": "text.png", "mimeType": "image/png", "buffer": b"no image at all"},
        {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<!doctype html><p>"},
        {"name": "empty.png", "mimeType": "image/png", "buffer": b""},
        {"name": "bomb.png", "mimeType": "image/png", "buffer": bomb(40_000)},
    )
    grey, *wrong = rows(page)[-5:]
    assert (grey["face"], grey["error"]) == (None, None)
    for row, reason in zip(wrong, ("not an image", "web page", "empty", "megapixels"), strict=True):
        assert reason in row["error"], row


def bomb(side: int) -> bytes:
    """A small PNG of side * side black pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 + side // 8)) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_paste(page: Any) -> None:
    encoded = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    page.evaluate(
        """encoded => {
            const bytes = Uint8Array.from(atob(encoded), one => one.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        encoded,
    )
    page.locator("#view-title", has_text="pasted.jpg").wait_for()
    assert "happiness" in page.locator(".face").first.get_attribute("aria-label")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    if page.locator("html").get_attribute("data-theme") != theme:
        page.click("#theme")
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not violations, json.dumps(violations, indent=1)[:3000]


@pytest.mark.filterwarnings("ignore:Workbook contains no default style")
def test_downloads(page: Any) -> None:
    assert rows(page, "csv").startswith(b"source,frame,time_s,face,track,left,top")
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(io.BytesIO(rows(page, "xlsx"))).active
    assert [cell.value for cell in sheet[1]][:2] == ["source", "frame"]
