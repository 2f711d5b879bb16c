"""What is drawn of an image or video is known by its metadata."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from mien.draw.figure_file import write_figure
from mien.media.encode import VideoWriter
from mien.media.images import read_image, write_image
from mien.media.outputs import is_output
from tests.media.videos import numbered


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_an_image_that_was_drawn_is_known_and_reads_as_before(tmp_path: Path, name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    marked, plain = tmp_path / name, tmp_path / f"plain-{name}"
    write_image(image, marked, is_output=True)
    write_image(image, plain)
    assert is_output(str(marked))
    assert not is_output(str(plain))
    assert np.array_equal(read_image(marked), read_image(plain))


def test_a_video_that_was_drawn_is_known_and_a_recording_is_not(tmp_path: Path) -> None:
    for name in ("drawn", "recorded"):
        with VideoWriter(tmp_path / f"{name}.mp4", (160, 120), is_output=name == "drawn") as writer:
            writer.write(numbered(0), 0.0)
    assert is_output(str(tmp_path / "drawn.mp4"))
    assert not is_output(str(tmp_path / "recorded.mp4"))


def test_a_figure_is_known(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        write_figure(Figure(figsize=(1, 1)), tmp_path / name)
        assert is_output(str(tmp_path / name))
    write_figure(Figure(figsize=(1, 1)), tmp_path / "a.svg")


def test_what_cannot_be_read_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "folder.png").mkdir()
    assert not any(is_output(str(path)) for path in (*tmp_path.iterdir(), tmp_path / "absent.jpg"))
