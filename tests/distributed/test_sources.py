from __future__ import annotations

from mien.distributed.sources import Seen


def test_seen_knows_what_it_has_put_into_its_arrays() -> None:
    seen = Seen(recent=100)
    names = [f"s3://bucket/{i}.jpg" for i in range(10_000)]
    assert all(map(seen.add, names))
    assert not any(map(seen.add, names))
    assert names[7] in seen
    assert "s3://bucket/other.jpg" not in seen
