from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import DATASETS, dataset_info
from mien.errors import DataError

VARIANTS = [(name, variant) for name in DATASETS for variant in dataset_info(name).variants]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_an_empty_folder_is_a_problem_that_says_what_to_do(name: str, variant: str, tmp_path: Path) -> None:
    reading = dataset_info(name).reading(tmp_path, variant=variant)
    assert len(reading.samples) == 0
    with pytest.raises(DataError, match=r"problems?\n  .*; "):
        reading.checked()
