"""Files in one step, work in bounded memory, what differs on resume."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from mien.errors import OptionError, VideoError
from mien.media.atomic import atomic_open, atomic_write
from mien.media.resume import differences
from mien.media.work import in_background, map_bounded, map_processes


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    atomic_write(path, b"old")
    with pytest.raises(TypeError), atomic_open(path) as file:
        file.writelines([b"ne", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    with atomic_open(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_few_are_begun_ahead(workers: int) -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def double(number: int) -> int:
        with lock:
            begun.append(number)
        return 2 * number

    results = map_bounded(double, iter(range(100)), workers=workers, ahead=5)
    assert next(results) == 0
    assert len(begun) <= 5
    assert list(results) == [2 * number for number in range(1, 100)]


def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_bounded(lambda number: 1 // number, [1, 0, 2], workers=2))
    with pytest.raises(OptionError, match="must be 1 to"):
        list(map_bounded(str, [1], workers=-1))


def _base() -> int:
    return 100


def _add(base: int, number: int) -> int:
    return base + number


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_are_set_up_once_and_answer_in_order(workers: int) -> None:
    assert list(map_processes(_base, _add, range(5), workers=workers)) == [100, 101, 102, 103, 104]


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(OptionError, match="1 worker"):
        list(map_processes(lambda: 1, _add, [1, 2], workers=2))


def test_differences_name_every_changed_value() -> None:
    before = {"seed": 0, "yaws": [1, 2], "model": {"sha256": "a", "size": 5}, "gone": None}
    now = {"seed": 5, "yaws": (1, 2), "model": {"sha256": "b", "size": 5}, "added": ""}
    assert differences(before, now) == [
        "seed was 0, now 5",
        "model.sha256 was a, now b",
        "gone was null, now absent",
        'added was absent, now ""',
    ]


def test_decoding_in_the_background_keeps_order_and_errors_and_ends() -> None:
    def failing() -> Iterator[int]:
        yield from range(3)
        raise VideoError("a.mp4", "is damaged")

    threads = threading.active_count()
    broken = in_background(failing(), ahead=1)
    assert list(islice(broken, 3)) == [0, 1, 2]
    with pytest.raises(VideoError):
        next(broken)
    assert list(in_background(range(100), ahead=3)) == list(range(100))
    endless = in_background(iter(int, 1), ahead=2)
    assert next(endless) == 0
    endless.close()
    assert threading.active_count() == threads
