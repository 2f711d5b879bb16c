from __future__ import annotations

import pytest

from mien.data import DATA_SETS, data_set
from mien.data.samples import SPLITS
from mien.errors import UnknownName


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_record_says_what_a_stranger_must_know(name: str) -> None:
    record = data_set(name)
    assert record.name == name
    assert all([record.title, record.layout, record.citation, record.licence, record.obtain, record.split_rule])
    assert record.faces_of.keys() <= record.variants.keys()


@pytest.mark.parametrize("name", DATA_SETS)
def test_published_counts_are_of_the_sets_own_classes(name: str) -> None:
    record = data_set(name)
    for key, splits in record.expected.items():
        variant, _, _ = key.partition(" ")
        assert set(splits) <= {*SPLITS, ""}
        for counts in splits.values():
            assert set(counts) <= {*record.labels(variant), "all", "no label"}


def test_a_variant_may_show_something_else() -> None:
    assert data_set("raf-db").shows() == "aligned"
    assert data_set("raf-db").shows("original") == "photo"


def test_an_unknown_set_or_variant_is_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'affectnet'"):
        data_set("affect-net")
    with pytest.raises(UnknownName, match="No variant of affectnet called '9'"):
        data_set("affectnet").labels("9")
