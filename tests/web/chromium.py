"""Debian's Chromium, driven by Playwright; tests that want it are skipped where one of them is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import EXAMPLES

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def film() -> Iterator[Image.Image]:
    """Frames of the astronaut, to the right and back."""
    with Image.open(EXAMPLES / "astronaut.jpg") as photo:
        small = photo.resize((240, 240))
    for i in (*range(8), *range(8, 0, -1)):
        frame = Image.new("RGB", (480, 272), (90, 110, 80))
        frame.paste(small, (20 + 10 * i, 15))
        yield frame


def write_y4m(path: Path) -> None:
    """The film raw, for Chromium's fake camera."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W480 H272 F10:1 Ip A1:1 C420jpeg\n")
        for frame in film():
            luma, *chroma = np.asarray(frame.convert("YCbCr")).transpose(2, 0, 1)
            planes = [luma, *(plane[::2, ::2] for plane in chroma)]
            file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))


def launched(camera: Path) -> Iterator[object]:
    """A browser without a window, whose camera is a film, which `camera` will hold."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).is_file():
        pytest.skip("there is no chromium; Debian: apt install chromium")
    write_y4m(camera)
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*arguments, f"--use-file-for-fake-video-capture={camera}"]
        )
        yield browser
        browser.close()
