from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from mien.datasets import DATASETS, dataset_info
from mien.datasets.distribution import Distribution
from mien.datasets.samples import Samples
from mien.datasets.splits.grouping import connected_groups, stratified_group_split
from mien.datasets.splits.protocols import (
    PROTOCOLS,
    CrossDataset,
    Fold,
    GroupFolds,
    LeaveOneSubjectOut,
    OfficialSplit,
    SubjectFolds,
    protocol,
)
from mien.errors import DataError, OptionError, UnknownNameError
from mien.labels import FERPLUS, RAF_DB, LabelSet

HERE = Path(__file__).parent


def words(values: object) -> np.ndarray:
    return np.array(values, dtype=object)


def table(
    label: object,
    *,
    split: object = None,
    labels: LabelSet = RAF_DB,
    votes: np.ndarray | None = None,
    **names: object,
) -> Samples:
    label = np.array(label, dtype=int)
    return Samples(
        labels=labels,
        files=Distribution(HERE),
        path=words([f"{row}.png" for row in range(len(label))]),
        label=label,
        split=words([""] * len(label) if split is None else split),
        votes=votes,
        **{key: words(value) for key, value in names.items()},
    )


@st.composite
def sets(draw: st.DrawFn, least_subjects: int = 2) -> tuple[Samples, np.ndarray]:
    """Some tens of images of some subjects, and groups of near-duplicates among them."""
    subjects = draw(st.integers(least_subjects, 12))
    rows = draw(st.integers(subjects, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    who = np.concatenate([np.arange(subjects), rng.integers(0, subjects, rows - subjects)])
    near = np.where(rng.random(rows) < 0.1, rng.integers(0, 4, rows), -1)
    return table(rng.integers(-1, 7, rows), subject=[f"s{one:02}" for one in who]), near


def parts(fold: Fold) -> list[np.ndarray]:
    return [fold.train, fold.valid, fold.test]


def crosses(fold: Fold, column: np.ndarray, nothing: object) -> bool:
    values = [set(column[rows].tolist()) - {nothing} for rows in parts(fold)]
    return any(left & right for left, right in combinations(values, 2))


@given(sets(), st.integers(2, 4), st.integers(0, 5), st.booleans())
def test_every_labelled_image_is_tested_once_and_nobody_stands_on_two_sides(
    data: tuple[Samples, np.ndarray], k: int, seed: int, known: bool
) -> None:
    samples, groups = data
    near = groups if known else None
    units = connected_groups(len(samples), [samples.subject, *([groups] if known else [])])
    assume(len(set(units[samples.label >= 0].tolist())) >= k)
    try:
        folds = SubjectFolds(k=k, seed=seed, validation_fraction=0.2).folds(samples, near=near)
    except DataError:  # one of the folds leaves a single subject to train on
        reject()
    tested = np.concatenate([fold.test for fold in folds])
    np.testing.assert_array_equal(np.sort(tested), np.flatnonzero(samples.label >= 0))
    for fold in folds:
        assert len(fold.test)
        assert not crosses(fold, samples.subject, "")
        assert sum(map(len, parts(fold))) == len(set(np.concatenate(parts(fold)).tolist()))
        if known:
            assert fold.leaks == ()
            assert not crosses(fold, groups, -1)


@given(sets(least_subjects=3), st.integers(0, 5))
def test_one_seed_gives_one_split(data: tuple[Samples, np.ndarray], seed: int) -> None:
    samples, _ = data
    assume(len(set(samples.subject[samples.label >= 0].tolist())) >= 3)
    rule = SubjectFolds(k=2, seed=seed, validation_fraction=0)
    for first, second in zip(rule.folds(samples), rule.folds(samples), strict=True):
        for left, right in zip(parts(first), parts(second), strict=True):
            np.testing.assert_array_equal(left, right)


@given(sets())
def test_leaving_one_out_tests_one_subject_at_a_time(data: tuple[Samples, np.ndarray]) -> None:
    samples, _ = data
    who = sorted(set(samples.subject[samples.label >= 0].tolist()))
    assume(len(who) >= 2)
    folds = LeaveOneSubjectOut(validation_fraction=0).folds(samples)
    assert [fold.name for fold in folds] == [f"without {name}" for name in who]
    assert [set(samples.subject[fold.test].tolist()) for fold in folds] == [{name} for name in who]


def test_near_duplicates_join_the_subjects_that_share_them() -> None:
    samples = table([0, 1, 2, 3, 4, 5], subject=["a", "a", "b", "b", "c", "d"])
    near = np.array([-1, 7, 7, -1, -1, -1])
    folds = LeaveOneSubjectOut(validation_fraction=0).folds(samples, near=near)
    assert [fold.name for fold in folds] == ["without a + b", "without c", "without d"]
    assert [fold.leaks for fold in folds] == [(), (), ()]


def test_one_image_per_subject_is_enough() -> None:
    folds = SubjectFolds(k=5).folds(table([0, 1] * 10, subject=[f"{i}" for i in range(20)]))
    assert [len(fold.test) for fold in folds] == [4] * 5
    assert all(np.bincount(folds[0].test % 2) == 2)
    assert all(len(fold.valid) for fold in folds)


def test_fewer_subjects_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="has 2 subjects, too few for 3 folds"):
        SubjectFolds(k=3).folds(table([0, 1, 2], subject=["a", "a", "b"]))
    with pytest.raises(DataError, match="names no subjects"):
        SubjectFolds().folds(table([0, 1, 2]))
    with pytest.raises(DataError, match="names no groups"):
        GroupFolds().folds(table([0, 1], group=["", ""]))
    with pytest.raises(OptionError, match="k is 1"):
        SubjectFolds(k=1).folds(table([0, 1], subject=["a", "b"]))
    with pytest.raises(DataError, match="set validation_fraction=0"):
        SubjectFolds(k=2).folds(table([0, 1], subject=["a", "b"]))


def test_folds_of_unequal_subjects_have_the_classes_in_proportion() -> None:
    rng = np.random.default_rng(0)
    who = rng.choice(80, 2000, p=rng.dirichlet(np.ones(80)))
    label = rng.choice(7, 2000, p=[0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02])
    folds = SubjectFolds(k=5).folds(table(label, subject=[f"{one}" for one in who]))
    whole = np.bincount(label, minlength=7) / 5
    for fold in folds:
        found = np.bincount(label[fold.test], minlength=7)
        assert np.abs(found - whole).max() <= np.maximum(0.25 * whole, 4).max()


def test_groups_stay_whole_and_a_subject_in_two_groups_is_reported() -> None:
    samples = table([0, 1, 0, 1, 0, 1], group=["v1", "v1", "v2", "v2", "v3", "v3"], subject=["a"] * 6)
    folds = GroupFolds(k=3, validation_fraction=0).folds(samples)
    assert sorted(tuple(fold.test.tolist()) for fold in folds) == [(0, 1), (2, 3), (4, 5)]
    assert [str(leak) for leak in folds[0].leaks] == ["1 subject in both train and test (4 and 2 images)"]


def test_images_that_name_nobody_are_reported() -> None:
    samples = table([0, 1, 2, 3], subject=["", "", "a", "b"])
    leaks = [str(leak) for fold in SubjectFolds(k=2, validation_fraction=0).folds(samples) for leak in fold.leaks]
    assert leaks
    assert all(leak.endswith("name no subject") for leak in leaks)


def official() -> tuple[Samples, np.ndarray]:
    split = ["train"] * 40 + ["test"] * 10
    near = np.full(50, -1)
    near[[3, 45]] = 0  # across
    near[[5, 6]] = 1  # within train
    return table([row % 5 for row in range(50)], split=split), near


def test_validation_is_held_out_of_train_by_class_and_copies_stay_together() -> None:
    samples, near = official()
    (fold,) = OfficialSplit(validation_fraction=0.25).folds(samples, near=near)
    assert fold.name == "official, tested on test"
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.train, fold.valid])), np.arange(40))
    assert np.bincount(samples.label[fold.valid]).tolist() == [2] * 5
    assert (5 in fold.train) == (6 in fold.train)
    assert fold.test.tolist() == list(range(40, 50))


def test_a_copy_across_the_official_border_is_said_or_dropped() -> None:
    samples, near = official()
    (fold,) = OfficialSplit(validation_fraction=0).folds(samples, near=near)
    assert [str(leak) for leak in fold.leaks] == ["1 near-duplicate in both train and test (1 and 1 images)"]
    (fold,) = OfficialSplit(validation_fraction=0, drop_copies=True).folds(samples, near=near)
    assert fold.leaks == ()
    assert 3 not in fold.train
    assert 45 in fold.test
    with pytest.raises(OptionError, match="drop_copies needs"):
        OfficialSplit(drop_copies=True).folds(samples)


def test_a_subject_across_the_official_border_is_said() -> None:
    samples = table([0, 1, 2, 0], split=["train", "train", "train", "test"], subject=["a", "b", "c", "a"])
    (fold,) = OfficialSplit(validation_fraction=0).folds(samples)
    assert [(leak.kind, leak.parts, leak.examples) for leak in fold.leaks] == [
        ("subject", ("train", "test"), ("a",))
    ]


def test_a_set_without_test_labels_is_tested_on_its_validation_part() -> None:
    samples = table([0, 1, 2, 3, 0, -1], split=["train"] * 4 + ["valid", "test"])
    (fold,) = OfficialSplit(validation_fraction=0.5).folds(samples)
    assert fold.name == "official, tested on valid"
    assert fold.test.tolist() == [4]
    assert len(fold.valid) == 2


def test_a_published_validation_part_is_used_as_it_is() -> None:
    samples = table([0, 1, 2, 3], split=["train", "train", "valid", "test"])
    (fold,) = OfficialSplit().folds(samples)
    assert [rows.tolist() for rows in parts(fold)] == [[0, 1], [2], [3]]


def test_a_fold_says_what_was_compared() -> None:
    samples = table([0, 1, 2, 3], split=["train", "train", "valid", "test"], subject=["a", "b", "c", "d"])
    assert OfficialSplit().folds(samples)[0].compared == ("subject",)
    assert OfficialSplit().folds(samples, near=np.full(4, -1))[0].compared == ("subject", "near-duplicate")


def test_votes_without_a_label_train_and_are_never_tested() -> None:
    votes = np.full((4, 8), 1 / 8)
    votes[1] = 0
    samples = table([0, -1, -1, -1], split=["train", "train", "train", "test"], labels=FERPLUS, votes=votes)
    samples.label[3] = 0
    (fold,) = OfficialSplit(validation_fraction=0).folds(samples)
    assert fold.train.tolist() == [0, 2]


def test_an_absent_part_is_named() -> None:
    with pytest.raises(DataError, match="no labelled test or valid part; it has train"):
        OfficialSplit().folds(table([0, 1], split=["train", "train"]))
    with pytest.raises(DataError, match="no train part"):
        OfficialSplit().folds(table([0, 1], split=["test", "test"]))


def test_a_set_that_is_tested_elsewhere_trains_on_its_train_part_or_on_all_of_it() -> None:
    parted = table([0, 1, 2, 3], split=["train", "train", "valid", "test"])
    assert [rows.tolist() for rows in parts(CrossDataset().folds(parted)[0])] == [[0, 1], [2], []]
    (fold,) = CrossDataset(validation_fraction=0).folds(table([0, 1, 2, 3]))
    assert [rows.tolist() for rows in parts(fold)] == [[0, 1, 2, 3], [], []]


def test_a_set_without_a_train_part_never_trains_on_its_other_parts() -> None:
    partly = table([0, 1, 2, 3], split=["", "test", "valid", ""])
    assert [rows.tolist() for rows in parts(CrossDataset().folds(partly)[0])] == [[0, 3], [2], []]
    (fold,) = CrossDataset(validation_fraction=0).folds(table([0, 1, 2], split=["", "test", ""]))
    assert [rows.tolist() for rows in parts(fold)] == [[0, 2], [], []]
    with pytest.raises(DataError, match="no labelled image to train on, .* in none: valid, test"):
        CrossDataset().folds(table([0, 1], split=["valid", "test"]))


def test_units_are_joined_through_every_column() -> None:
    subject = words(["a", "a", "b", "", "", "c"])
    near = np.array([-1, 2, 2, -1, -1, -1])
    assert connected_groups(6, [subject, near]).tolist() == [0, 0, 0, 1, 2, 3]
    assert connected_groups(3, []).tolist() == [0, 1, 2]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 100))
def test_dealing_fills_every_part_that_can_be_filled(units: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = np.concatenate([np.arange(units), rng.integers(0, units, 30)])
    shares = rng.random(bins) + 0.05
    part = stratified_group_split(unit, rng.integers(-1, 7, len(unit)), shares, seed=seed)
    assert len(set(part.tolist())) == min(units, bins)
    assert all(len(set(part[unit == one].tolist())) == 1 for one in range(units))


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_names_a_known_protocol(name: str) -> None:
    assert dataset_info(name).protocol in PROTOCOLS


def test_protocols_are_made_by_name() -> None:
    assert protocol("subject-folds", k=3) == SubjectFolds(k=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'subject-folds'"):
        protocol("subject-fold")
    with pytest.raises(OptionError, match="has the options k, validation_fraction, seed"):
        protocol("subject-folds", folds=3)
