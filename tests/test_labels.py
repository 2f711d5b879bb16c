from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.datasets import DATASETS, dataset_info
from mien.errors import OptionError, UnknownNameError
from mien.labels import (
    AFFECTNET_7,
    AFFECTNET_8,
    FERPLUS,
    LABEL_SETS,
    RAF_DB,
    Expression,
    LabelSet,
    expression_called,
    label_set,
)
from mien.results import Scores

SMALLER = [name for name, labels in LABEL_SETS.items() if set(labels) <= set(FERPLUS)]


def test_reordering_there_and_back_changes_nothing() -> None:
    scores = np.random.default_rng(0).random((3, 7))
    there = RAF_DB.reorder(scores, to=AFFECTNET_7)
    np.testing.assert_array_equal(AFFECTNET_7.reorder(there, to=RAF_DB), scores)


def test_a_class_keeps_its_score_under_any_order() -> None:
    one_hot = np.eye(7)[RAF_DB.index(Expression.ANGER)]
    assert AFFECTNET_7[int(RAF_DB.reorder(one_hot, to=AFFECTNET_7).argmax())] == "anger"


@given(st.lists(st.floats(0.01, 1), min_size=8, max_size=8), st.sampled_from(SMALLER))
def test_restricted_probabilities_sum_to_one_and_keep_their_ratios(values: list[float], name: str) -> None:
    before = np.array(values) / sum(values)
    after = FERPLUS.restrict(before, to=label_set(name))
    assert after.sum() == pytest.approx(1)
    for i, label in enumerate(label_set(name)):
        assert after[i] / after[0] == pytest.approx(
            before[FERPLUS.index(label)] / before[FERPLUS.index(label_set(name)[0])]
        )


def test_a_missing_class_is_named() -> None:
    with pytest.raises(OptionError, match="no output for contempt"):
        RAF_DB.reorder(np.zeros(7), to=AFFECTNET_8)


def test_label_sets_and_scores_are_copied_and_pickled() -> None:
    scores = Scores(RAF_DB, (1.0, 0, 0, 0, 0, 0, 0))
    assert pickle.loads(pickle.dumps(scores)) == copy.deepcopy(scores) == scores


@pytest.mark.parametrize("labels", [RAF_DB, LabelSet(["bored", "anger", "in pain"])])
def test_a_dataclass_that_holds_a_label_set_becomes_a_dict(labels: LabelSet) -> None:
    scores = Scores(labels, (1.0,) + (0.0,) * (len(labels) - 1))
    plain = dataclasses.asdict(scores)
    assert plain["labels"] == labels
    assert type(plain["labels"]) is LabelSet


def test_class_names_make_a_label_set_and_the_field_s_are_expressions() -> None:
    labels = label_set(["bored", "anger", "in pain"])
    assert labels == ("bored", "anger", "in pain")
    assert [isinstance(label, Expression) for label in labels] == [False, True, False]
    assert label_set(labels) == labels
    with pytest.raises(ValueError, match="twice"):
        label_set(("anger", "anger"))


@pytest.mark.parametrize(
    ("word", "label"), [(" Happy ", Expression.HAPPINESS), ("ANGER", Expression.ANGER), ("bored", None)]
)
def test_spellings_of_a_class_are_known(word: str, label: Expression | None) -> None:
    assert expression_called(word) is label


def test_a_class_cannot_appear_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        LabelSet("anger anger")


def test_a_misspelt_label_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'raf-db'"):
        label_set("rafdb")


def test_orders_are_those_of_the_sets() -> None:
    # FER+ README columns; RAF-DB labels 1..7; AffectNet labels 0..7
    assert FERPLUS[0] == "neutral"
    assert FERPLUS[7] == "contempt"
    assert (RAF_DB[0], RAF_DB[6]) == ("surprise", "neutral")
    assert (AFFECTNET_8[3], AFFECTNET_8[7]) == ("surprise", "contempt")


def test_every_label_set_stands_in_the_document() -> None:
    text = (Path(__file__).parents[1] / "docs/concepts/labels.md").read_text(encoding="utf-8")
    assert [name for name in LABEL_SETS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", DATASETS)
def test_the_classes_of_every_data_set_have_a_name(name: str) -> None:
    assert set(dataset_info(name).variants.values()) <= set(LABEL_SETS.values())
