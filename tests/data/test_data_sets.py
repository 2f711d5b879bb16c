from __future__ import annotations

from pathlib import Path

import pytest

from mien.data import DATA_SETS, data_set
from mien.errors import DataError, UnknownName


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_record_says_what_a_card_needs(name: str) -> None:
    record = data_set(name)
    assert record.name == name
    assert all((record.title, record.layout, record.citation, record.licence, record.obtain, record.split_rule))
    assert record.variants


@pytest.mark.parametrize("name", DATA_SETS)
def test_published_counts_are_of_the_classes_of_their_variant(name: str) -> None:
    record = data_set(name)
    for key, splits in record.expected.items():
        labels = record.labels(key if key in record.variants else key.rpartition(" ")[0])
        for classes in splits.values():
            assert set(classes) <= {*labels, "all", "no label"}, key


@pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name in DATA_SETS for variant in data_set(name).variants]
)
def test_an_empty_folder_is_a_problem_that_says_what_to_do(name: str, variant: str, tmp_path: Path) -> None:
    reading = data_set(name).reading(tmp_path, variant=variant)
    assert len(reading.samples) == 0
    assert len(reading.problems) >= 1
    with pytest.raises(DataError, match="; "):
        reading.checked()


def test_a_misspelt_set_is_refused_with_the_nearest_known() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'ferplus'"):
        data_set("fer-plus")
