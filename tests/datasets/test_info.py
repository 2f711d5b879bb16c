from __future__ import annotations

import pytest

from mien.datasets import DATASETS, dataset_info
from mien.datasets.samples import SPLIT_NAMES
from mien.errors import UnknownNameError


@pytest.mark.parametrize("name", DATASETS)
def test_a_record_says_what_a_stranger_must_know(name: str) -> None:
    info = dataset_info(name)
    assert info.name == name
    assert all([info.title, info.layout, info.citation, info.licence, info.obtain, info.split_rule])
    assert info.image_kinds.keys() <= info.variants.keys()


@pytest.mark.parametrize("name", DATASETS)
def test_published_counts_are_of_the_sets_own_classes(name: str) -> None:
    info = dataset_info(name)
    for key, splits in info.expected.items():
        variant, _, _ = key.partition(" ")
        assert set(splits) <= {*SPLIT_NAMES, ""}
        for counts in splits.values():
            assert set(counts) <= {*info.labels(variant), "all", "no label"}


def test_a_variant_may_show_something_else() -> None:
    assert dataset_info("raf-db").image_kind_of() == "aligned"
    assert dataset_info("raf-db").image_kind_of("original") == "photo"


def test_an_unknown_set_or_variant_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'affectnet'"):
        dataset_info("affect-net")
    with pytest.raises(UnknownNameError, match="No variant of affectnet called '9'"):
        dataset_info("affectnet").labels("9")
