from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.datasets.readers.cfee import shares_of
from tests.datasets.distributions import images, text

SET = dataset_info("cfee")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(tmp_path / "cfee", *(f"images/cfee_{i}.jpg" for i in range(1, 6)))
    text(
        tmp_path / "cfee/labels.csv",
        "path,label,subject,split,category",
        "images/cfee_1.jpg,neutral,111,train,Neutral",
        "images/cfee_2.jpg,,111,train,Happily surprised",
        "images/cfee_3.jpg,,112,valid,Hatred",
        "images/cfee_4.jpg,,112,valid,Happily bored",
        "images/cfee_5.jpg,sadness,112,somewhere,Sad",
    )
    return tmp_path


def test_compound_categories_have_soft_labels(folder: Path) -> None:
    samples = SET.samples(folder, skip_broken=True)
    assert samples.label.tolist() == [0, -1, -1]
    assert samples.split.tolist() == ["train", "train", "valid"]
    assert samples.subject.tolist() == ["111", "111", "112"]
    happiness, surprise, anger = (samples.labels.index(name) for name in ("happiness", "surprise", "anger"))
    assert samples.votes[1, [happiness, surprise]].tolist() == [0.5, 0.5]
    assert samples.votes[2, anger] == pytest.approx(2 / 3)
    assert np.allclose(samples.votes.sum(axis=1), 1)


def test_unknown_categories_and_splits_are_problems(folder: Path) -> None:
    assert [(p.kind, p.where) for p in SET.reading(folder).problems] == [
        ("unknown label", "labels.csv:5"),
        ("wrong column", "labels.csv:6"),
    ]


def test_what_is_no_category_has_no_shares() -> None:
    assert shares_of("Awed") == {"surprise": 2 / 3, "fear": 1 / 3}
    assert shares_of("Hatred surprised") is None
    assert shares_of("Pleased") is None


def test_the_real_set(real: Callable[[str], Path]) -> None:
    samples = SET.samples(real("cfee.zip"))
    assert len(samples) == 2500
    assert len(set(samples.extra["category"].tolist())) == 22
    assert len(set(samples.subject.tolist())) == 230
