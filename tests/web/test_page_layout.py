"""What is shown of many faces, long names and names that run from right to left."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import EXAMPLES
from tests.web.opened import give

pytestmark = pytest.mark.slow

LABELS = """() => [...document.querySelectorAll('.chip')].filter(one => one.checkVisibility())
    .map(one => ({ text: one.textContent, box: one.getBoundingClientRect().toJSON() }))"""


def group() -> bytes:
    """Eight faces side by side, as a class stands."""
    with Image.open(EXAMPLES / "astronaut.jpg") as photo:
        face = photo.crop((130, 0, 330, 230)).resize((240, 280))
    image = Image.new("RGB", (1400, 700), (120, 130, 110))
    for i in range(8):
        image.paste(face, (60 + 330 * (i % 4), 40 + 330 * (i // 4)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("width", [375, 820, 1366])
def test_labels_of_faces_do_not_lie_over_each_other(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    give(page, {"name": "group.png", "mimeType": "image/png", "buffer": group()})
    assert page.locator(".face").count() == 8
    labels = page.evaluate(LABELS)
    assert len(labels) >= 6
    for i, label in enumerate(labels):
        one = label["box"]
        for other in (later["box"] for later in labels[i + 1 :]):
            apart = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"], (label, other)
    assert "%" in page.locator(".face[aria-pressed=true] .chip").inner_text()
    page.locator(".face").last.click()
    assert "%" in page.locator(".face").last.locator(".chip").inner_text()


def test_a_long_name_leaves_room_for_the_other_columns(page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    name = "a_name_without_a_space_" * 10 + ".jpg"
    content = (EXAMPLES / "astronaut.jpg").read_bytes()
    give(page, {"name": name, "mimeType": "image/jpeg", "buffer": content})
    region, reason = (page.locator(where).bounding_box() for where in ("#table .scroll", "#columns th:last-child"))
    assert reason["x"] + reason["width"] <= region["x"] + region["width"]
    assert page.locator("#rows td").first.get_attribute("title") == name


def test_a_name_from_right_to_left_turns_nothing_around(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "\u05e9\u05dd 1.jpg"
    path.write_bytes(b"no image")
    give(page, path)
    assert page.locator("#view-note").inner_text().startswith(f"\u2068{path.name}\u2069: is not an image")
    assert page.locator("#view-title").get_attribute("dir") == "auto"


def test_a_user_s_own_colours_leave_what_is_on_and_what_is_chosen(page: Any) -> None:
    page.emulate_media(forced_colors="active")
    give(page, EXAMPLES / "astronaut.jpg")
    style = "(one, name) => getComputedStyle(one)[name]"
    assert page.locator("#anonymise").evaluate(style, "appearance") == "auto"
    for chosen in (".face[aria-pressed=true]", ".modes input:checked + span"):
        assert page.locator(chosen).first.evaluate(style, "outlineStyle") == "solid"
    assert page.locator(".bars .fill").first.evaluate(style, "forcedColorAdjust") == "none"
