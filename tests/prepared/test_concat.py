"""Several stores as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import DataError
from mien.prepared.concat import ConcatStore
from mien.prepared.store import PreparedStore
from tests.prepared import fabricated as stores
from tests.research.fabricated import prepared


@pytest.fixture
def both(tmp_path: Path) -> ConcatStore:
    """RAF-DB's seven classes, then FER+'s eight with their votes."""
    return ConcatStore(
        PreparedStore(prepared(tmp_path / "a", "raf-db")), [PreparedStore(prepared(tmp_path / "b", "ferplus"))]
    )


def test_rows_follow_each_other(both: ConcatStore) -> None:
    first, second = both.stores
    assert len(both) == len(first) + len(second)
    rows = np.array([len(first) + 2, 1, len(both) - 1, 0])
    wanted = [second.images([2])[0], first.images([1])[0], second.images([-1])[0], first.images([0])[0]]
    np.testing.assert_array_equal(both.images(rows), np.stack(wanted))
    np.testing.assert_array_equal(both.rows_of(1, np.array([0, 3])), [len(first), len(first) + 3])


def test_classes_meet_by_name_and_what_the_first_lacks_is_not_known(both: ConcatStore) -> None:
    first, second = both.stores
    for row, label in enumerate(second.label.tolist()):
        name, mine = second.labels[label], both.label[len(first) + row]
        assert mine == (-1 if name == "contempt" else both.labels.index(name))


def test_votes_for_what_the_first_lacks_are_shared_out(both: ConcatStore) -> None:
    first, second = both.stores
    targets = both.targets
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(targets[: len(first)], first.targets)
    kept = [i for i, name in enumerate(second.labels) if name != "contempt"]
    happy = both.labels.index("happiness"), second.labels.index("happiness")
    share = second.targets[:, happy[1]] / second.targets[:, kept].sum(axis=1)
    np.testing.assert_allclose(targets[len(first) :, happy[0]], share, rtol=1e-5)


def test_some_rows_are_a_joined_set_again(both: ConcatStore) -> None:
    few = both.take(np.array([len(both) - 1, 1]))
    assert [len(store) for store in few.stores] == [1, 1]
    np.testing.assert_array_equal(few.images([0, 1]), both.images([1, len(both) - 1]))
    assert few.fingerprint != both.fingerprint


def test_a_column_that_one_lacks_is_nan_there(both: ConcatStore) -> None:
    assert both.column("votes") is not None
    assert np.isnan(both.column("votes")[: len(both.stores[0])]).all()
    assert both.column("yaw_deg") is None


def test_stores_of_other_framing_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = PreparedStore(prepared(tmp_path / "a", "raf-db"))
    monkeypatch.setattr(stores, "SIDE", 64)
    second = PreparedStore(prepared(tmp_path / "b", "ferplus"))
    with pytest.raises(DataError, match=r"canvas_px 64, .* with 48: prepare one of them again"):
        ConcatStore(first, [second])
