"""Animated images give frames with their own times, and stills are told from videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.media.animation import Animation, frames_of
from mien.media.grab import frames_at
from mien.media.sniff import is_video
from tests.media.videos import number_of, numbered, read, write_video


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_have_the_times_of_their_durations(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    images = [Image.fromarray(numbered(10 * i)) for i in range(4)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=[100, 250, 50, 100], lossless=True)
    frames, error = read(path)
    assert error is None
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.35, 0.4])
    assert [number_of(frame.image) for frame in frames] == pytest.approx([0, 10, 20, 30], abs=1)
    assert is_video(str(path))
    assert isinstance(frames_of(str(path)), Animation)
    path.write_bytes(path.read_bytes()[:-300])
    frames, error = read(path)
    assert error is not None or len(frames) < 4


def test_the_still_image_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    """It is for what cannot show animations; a browser begins with the second image, at 0 s."""
    path = tmp_path / "a.png"
    images = [Image.fromarray(numbered(10 * i)) for i in range(4)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=[300, 500, 700], default_image=True)
    frames, _ = read(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.3, 0.8])
    assert [number_of(frame.image) for frame in frames] == pytest.approx([10, 20, 30], abs=1)
    assert Animation(path).info().frames == 3


def test_a_transport_stream_is_known_by_its_packets(tmp_path: Path) -> None:
    write_video(tmp_path / "a.ts", 5)
    (tmp_path / "b.ts").write_text("export const G = 1;\n" * 50)
    assert is_video(str(tmp_path / "a.ts"))
    assert not is_video(str(tmp_path / "b.ts"))


def test_stills_are_no_videos(tmp_path: Path) -> None:
    for suffix in ("gif", "webp", "png", "jpg"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(numbered(0)).save(path)
        assert not is_video(str(path))
    assert is_video("talk.MP4")
    nameless = tmp_path / "recording"
    nameless.write_bytes(write_video(tmp_path / "a.mp4", 2).read_bytes())
    assert is_video(str(nameless))
    assert not is_video(str(tmp_path / "absent"))


def test_files_without_a_known_ending_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for head in (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x1aE\xdf\xa3", b"\0\0\0\x08wide", b"\0\0\x01\xba"):
        path.write_bytes(head + bytes(600))
        assert is_video(str(path))
    for head in (b"The free software\n", b"\0\0\0\x20ftypheic", b"\0\0\0\x20ftypavif", b"P6 \n"):
        path.write_bytes(head * 40)
        assert not is_video(str(path))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_single_frames_of_animations_are_those_of_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    first, *others = (Image.fromarray(np.full((64, 64, 3), 60 * i, np.uint8)) for i in range(4))
    first.save(path, save_all=True, append_images=others, duration=[10, 300, 40, 100], lossless=True)
    frames, _ = read(path)
    grabbed = list(frames_at(path, [frames[3].time_s, frames[1].time_s]))
    assert [time_s for time_s, _ in grabbed] == [frames[1].time_s, frames[3].time_s]
    for (_, image), index in zip(grabbed, (1, 3), strict=True):
        np.testing.assert_array_equal(image, frames[index].image)
