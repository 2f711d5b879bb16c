"""The page in Chromium: videos and cameras."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import EXAMPLES
from tests.web.chromium import film
from tests.web.opened import give, rows

pytestmark = pytest.mark.slow


def test_video(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "talk.webm"
    write_video(path, list(film())[:5])
    give(page, path)
    frames = rows(page)
    assert [row["frame"] for row in frames] == [0, 1, 2, 3, 4]
    assert [row["time_s"] for row in frames] == [0, 0.1, 0.2, 0.3, 0.4]
    assert {(row["track"], row["expression"], row["smoothed"]) for row in frames} == {(0, "happiness", "happiness")}
    assert [row["left"] for row in frames] == sorted(row["left"] for row in frames)
    page.focus("#seek")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.locator("#seek[aria-valuetext^='0.1 seconds, happiness']").wait_for()


def write_video(path: Path, images: list[Image.Image]) -> None:
    """Ten of them a second."""
    av = pytest.importorskip("av")
    with av.open(path, "w") as container:
        stream = container.add_stream("vp8", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 480, 272, "yuv420p", 2_000_000
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


@pytest.mark.heavy
def test_seeking_in_a_video_that_is_being_recognised(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "long.webm"
    write_video(path, [*film(), *film(), *film()])
    page.set_input_files("#files", [path, EXAMPLES / "grace_hopper.jpg"])
    page.locator("#view-note", has_text=re.compile("^[5-9] frames")).wait_for()
    page.evaluate(
        """() => {
            const seek = document.getElementById("seek");
            window.seeking = setInterval(() => {
                seek.value = Math.floor(Math.random() * Number(seek.max));
                seek.dispatchEvent(new Event("input"));
            }, 7);
        }"""
    )
    page.locator("#view-note", has_text=re.compile("^3[0-9] frames")).wait_for()
    page.evaluate("() => clearInterval(seeking)")
    page.locator("#seek").fill("2")
    page.locator("#seek[aria-valuetext^='0.2 seconds']").wait_for()
    page.locator("#progress").wait_for(state="hidden")
    assert page.locator("#seek").input_value() == "2", "the moment that was chosen stays in view"
    video, photo = rows(page)[:-1], rows(page)[-1]
    assert [row["frame"] for row in video] == list(range(48))
    assert {row["expression"] for row in video} == {"happiness"}
    moved = [*range(8), *range(8, 0, -1)] * 3
    assert [round((row["left"] - video[0]["left"]) / 10) for row in video] == moved, "each row is of its own frame"
    assert (photo["source"], photo["error"]) == ("grace_hopper.jpg", None)


def test_a_damaged_video_holds_up_nothing(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.webm"
    write_video(path, [*film(), *film(), *film()])
    content = bytearray(path.read_bytes())
    content[len(content) // 3 :] = bytes(len(content) - len(content) // 3)
    page.set_input_files(
        "#files",
        [
            {"name": "cut.webm", "mimeType": "video/webm", "buffer": bytes(content)},
            {"name": "text.mp4", "mimeType": "video/mp4", "buffer": b"no video at all"},
            {
                "name": "hopper.jpg",
                "mimeType": "image/jpeg",
                "buffer": (EXAMPLES / "grace_hopper.jpg").read_bytes(),
            },
        ],
    )
    page.locator("#progress").wait_for(state="visible")
    page.locator("#progress").wait_for(state="hidden")
    assert not page.locator("#stop").is_visible()
    *of_cut, text, photo = rows(page)
    assert {row["source"] for row in of_cut} == {"cut.webm"}
    assert "not a video" in text["error"]
    assert (photo["face"], photo["error"]) == (0, None)


@pytest.mark.heavy
def test_a_camera_without_images_is_said(page: Any) -> None:
    page.evaluate(
        """() => {
            const canvas = document.createElement("canvas");
            const still = () => Promise.resolve(canvas.captureStream(0));
            Object.defineProperty(navigator.mediaDevices, "getUserMedia", { value: still });
        }"""
    )
    page.click("#camera")
    page.locator("#problem", has_text="The camera gives no image").wait_for()
    give(page, EXAMPLES / "astronaut.jpg")
    assert rows(page)[0]["expression"] == "happiness"


def test_camera(page: Any) -> None:
    page.click("#camera")
    page.locator("#view-note", has_text=re.compile("([3-9]|[0-9]{2}) frames")).wait_for()
    page.click("#stop")
    page.locator("#view-note", has_text="its frames are not kept").wait_for()
    frames = rows(page)
    assert {(row["track"], row["expression"], row["smoothed"]) for row in frames} == {(0, "happiness", "happiness")}


def test_a_camera_that_is_not_allowed_is_said(page: Any) -> None:
    page.evaluate(
        """() => {
            const refuse = () => Promise.reject(new DOMException("no", "NotAllowedError"));
            Object.defineProperty(navigator.mediaDevices, "getUserMedia", { value: refuse });
        }"""
    )
    page.click("#camera")
    page.locator("#problem", has_text="The camera is not allowed here").wait_for()
