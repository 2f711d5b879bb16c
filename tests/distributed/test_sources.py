from __future__ import annotations

from pathlib import Path

import pytest

from mien.distributed.sources import Seen, sources_of


def test_seen_knows_what_it_has_put_into_its_arrays() -> None:
    seen = Seen(recent=100)
    names = [f"s3://bucket/{i}.jpg" for i in range(10_000)]
    assert all(map(seen.add, names))
    assert not any(map(seen.add, names))
    assert names[7] in seen
    assert "s3://bucket/other.jpg" not in seen


def test_a_path_written_in_several_ways_is_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "b?.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "list.txt").write_text("a.jpg\n./a.jpg\n")
    monkeypatch.chdir(tmp_path)
    given = ["a.jpg", "./a.jpg", str(tmp_path), (tmp_path / "a.jpg").as_uri(), "list.txt"]
    assert [source.name for source in sources_of(given)] == ["a.jpg", f"{tmp_path}/b?.jpg"]
