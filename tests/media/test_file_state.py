"""What tells a file from its later versions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mien.media import file_state as module
from mien.media.file_state import file_state, unchanged


def saved(path: Path) -> list[object]:
    return json.loads(json.dumps(file_state(str(path))))


@pytest.mark.parametrize("place", [0, 500, 4999, 5000, 5001, 9_999])
def test_any_byte_that_is_another_is_seen_though_size_and_time_stay(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(10_000))
    state, times = saved(path), path.stat()
    assert unchanged(str(path), state)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert not unchanged(str(path), state)


def test_the_same_content_at_another_time_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    state = saved(path)
    os.utime(path, ns=(1, 1))
    assert unchanged(str(path), state)
    path.write_bytes(b"content and more")
    assert not unchanged(str(path), state)


def test_files_above_a_limit_are_known_by_blocks_from_head_to_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HASHED_BYTES", 80)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 10)
    path = tmp_path / "a"
    for place in (0, 499, 999):
        path.write_bytes(bytes(1000))
        state = saved(path)
        with path.open("r+b") as file:
            file.seek(place // 143 * 143 if place < 999 else 999)
            file.write(b"x" * (11 if place == 499 else 1))
        assert not unchanged(str(path), state)


def test_what_is_no_file_or_no_state(tmp_path: Path) -> None:
    assert file_state(str(tmp_path / "missing")) is None
    assert file_state("a\0b") is None
    path = tmp_path / "a"
    path.write_bytes(b"x")
    for state in (None, [], [1, 2, 3], [1, 2, 3, "hash", 5], saved(path)[:2]):
        assert not unchanged(str(path), state)
    assert not unchanged(str(tmp_path / "missing"), saved(path))


def test_a_file_that_changed_since_its_stamp_has_no_state(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    stamp = module.file_stamp(str(path))
    path.write_bytes(b"xy")
    assert file_state(str(path), stamp) is None
