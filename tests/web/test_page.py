"""The page in Chromium: the same numbers as Python, offline, errors, paste, downloads, accessibility."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.pipeline.rows import rows_of
from mien.results import ImageResult
from tests.conftest import EXAMPLES
from tests.web.opened import give, rows

pytestmark = pytest.mark.slow


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
    same(rows(page), expected)


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
    grey, *wrong = rows(page)
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


def test_drop(page: Any) -> None:
    encoded = base64.b64encode((EXAMPLES / "grace_hopper.jpg").read_bytes()).decode()
    page.evaluate(
        """encoded => {
            const bytes = Uint8Array.from(atob(encoded), one => one.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
            const at = document.getElementById("drop");
            at.dispatchEvent(new DragEvent("dragover", { dataTransfer, bubbles: true }));
            at.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        encoded,
    )
    page.locator("#view-title", has_text="dropped.jpg").wait_for()
    assert "Uncertain" in page.locator(".reason").inner_text()


def test_anonymise_covers_the_faces_and_nothing_else(page: Any) -> None:
    give(page, EXAMPLES / "astronaut.jpg")
    before = pixels(page)
    page.check("#anonymise")
    changed = (pixels(page) != before).any(axis=2)
    page.uncheck("#anonymise")
    assert (pixels(page) == before).all()
    row = next(row for row in rows(page) if row["source"] == page.locator("#view-title").inner_text())
    top, bottom, left, right = (round(row[side]) for side in ("top", "bottom", "left", "right"))
    assert changed[top:bottom, left:right].mean() > 0.95
    grown = changed.copy()
    grown[top - 60 : bottom + 60, left - 60 : right + 60] = False
    assert not grown.any()


def pixels(page: Any) -> np.ndarray:
    """What the page shows of the image: (H, W, 4)."""
    address = page.evaluate("() => document.getElementById('canvas').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def test_explain(page: Any) -> None:
    page.click("#example")
    page.locator("#strip [aria-current=true]").wait_for(state="attached")
    page.click("#explain")
    page.locator("#explain", has_text="Hide").wait_for()
    (expected,) = mien.explain(EXAMPLES / "astronaut.jpg", curves=False)
    cells = page.evaluate("() => explanation.cells")
    np.testing.assert_allclose(cells, expected["occlusion"].values.ravel(), atol=1e-3)
    drawn = (
        "() => document.getElementById('marks').getContext('2d').getImageData(0, 0, 999, 999).data.some(one => one)"
    )
    assert page.evaluate(drawn)
    page.click("#explain")
    page.locator("#explain", has_text="Explain happiness").wait_for()
    assert not page.evaluate(drawn)


def test_networks_that_broke_are_loaded_again(page: Any) -> None:
    page.evaluate("() => networks.dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }))")
    give(page, EXAMPLES / "astronaut.jpg")
    assert rows(page)[0]["expression"] == "happiness"


def test_keys_are_enough(page: Any) -> None:
    page.focus("#choose")
    focused = "() => document.activeElement.id || document.activeElement.className"
    for expected in ("camera", "example"):
        page.keyboard.press("Tab")
        assert page.evaluate(focused) == expected
    page.keyboard.press("Enter")
    page.locator("#view-title", has_text=re.compile("^astronaut.jpg$")).wait_for()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
        if seen[-1] == "explain":
            break
        outline = "() => getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) != "none", f"{seen[-1]} does not show that it has the focus"
    assert {"anonymise", "landmarks", "face", "explain"} <= set(seen)
    page.focus("#anonymise")
    page.keyboard.press("Space")
    assert page.is_checked("#anonymise")
    page.keyboard.press("Space")


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, theme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.set_viewport_size({"width": width, "height": 800})
    if page.locator("html").get_attribute("data-theme") != theme:
        page.click("#theme")
    check(axe, page)
    give(page, EXAMPLES / "astronaut.jpg", EXAMPLES / "grace_hopper.jpg")
    check(axe, page)


def check(axe: Any, page: Any) -> None:
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not violations, json.dumps(violations, indent=1)[:3000]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


@pytest.mark.filterwarnings("ignore:Workbook contains no default style")
def test_downloads_hold_the_same(page: Any) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    give(page, EXAMPLES / "astronaut.jpg")
    expected = rows(page)
    assert page.text_content("#face-title") == f"Face {expected[0]['face']}"
    lines = list(csv.reader(io.StringIO(rows(page, "csv").decode())))
    sheet = openpyxl.load_workbook(io.BytesIO(rows(page, "xlsx"))).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert lines[0] == cells[0] == list(expected[0])
    assert len(lines) == len(cells) == 1 + len(expected)
    for row, line, some in zip(expected, lines[1:], cells[1:], strict=True):
        assert some == list(row.values())
        assert line == ["" if value is None else str(value) for value in row.values()]
