"""Prepared sets that travel: what comes back is the set, with small losses in its images alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from research.fer.travel import main

from mien.prepared.store import PreparedStore
from tests.research.fabricated import prepared


def test_a_set_comes_back(tmp_path: Path) -> None:
    before = PreparedStore(prepared(tmp_path / "set", "ferplus"))
    small, back = tmp_path / "small", tmp_path / "back"
    main(["pack", str(before.folder), "--out", str(small), "--side", "48", "--quality", "95"])
    main(["unpack", str(small), "--out", str(back)])
    after = PreparedStore(back)
    after.verify()
    rows = np.arange(len(before))
    assert after.images(rows).shape == before.images(rows).shape
    means = [store.images(rows).mean(axis=(1, 2)) for store in (before, after)]  # the images are noise
    assert np.abs(means[0] - means[1]).max() < 2
    assert (after.label == before.label).all()
    assert (after.targets == before.targets).all()
    assert after.header.counts == before.header.counts
    assert after.column("landmarks") is None
    assert after.column("head_yaw_deg") is not None
