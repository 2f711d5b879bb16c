from __future__ import annotations

import numpy as np
import pytest

from mien.errors import InputError
from mien.metrics import (
    Interval,
    bootstrap,
    classification_intervals,
    classification_metrics,
    mcnemar,
    paired_differences,
)


def predicting(correct: np.ndarray) -> np.ndarray:
    """Probabilities (N, 2) that are correct (class 0) where `correct`."""
    return np.stack([correct, ~correct], axis=1).astype(float)


def test_the_interval_of_accuracy_is_that_of_a_binomial() -> None:
    correct = np.arange(1000) < 800
    result = classification_intervals(np.zeros(1000, int), predicting(correct), resamples=4000)["accuracy"]
    spread = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert result.low == pytest.approx(0.8 - spread, abs=0.004)
    assert result.high == pytest.approx(0.8 + spread, abs=0.004)


def test_images_of_one_person_widen_the_interval() -> None:
    correct = np.arange(1000) < 800
    people = np.array([f"person {i // 50}" for i in range(1000)])
    alone = classification_intervals(np.zeros(1000, int), predicting(correct))["accuracy"]
    together = classification_intervals(np.zeros(1000, int), predicting(correct), clusters=people)["accuracy"]
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_a_recall_of_all_or_none_is_not_certain() -> None:
    truth = np.repeat([0, 1], [13, 5])
    of = classification_intervals(truth, predicting(np.ones(18, dtype=bool)))
    assert of["recall.0"] == Interval(value=1.0, low=pytest.approx(0.753, abs=0.001), high=1.0)
    assert of["recall.1"] == Interval(value=0.0, low=0.0, high=pytest.approx(0.522, abs=0.001))
    assert of["balanced_accuracy"] == Interval(
        value=0.5, low=pytest.approx(0.753 / 2, abs=0.001), high=pytest.approx(1.522 / 2, abs=0.001)
    )
    people = np.array(["a"] * 13 + ["b", "c", "c", "", ""])
    of = classification_intervals(truth, predicting(np.ones(18, dtype=bool)), clusters=people)
    assert (of["recall.0"].low, of["recall.1"].high) == pytest.approx((0.025, 1 - 0.025**0.25))


def test_images_without_a_subject_stand_alone() -> None:
    correct = np.arange(1000) < 800
    alone = classification_intervals(np.zeros(1000, int), predicting(correct), resamples=4000)["accuracy"]
    unnamed = classification_intervals(
        np.zeros(1000, int), predicting(correct), clusters=np.full(1000, ""), resamples=4000
    )["accuracy"]
    assert unnamed.low == pytest.approx(alone.low, abs=0.004)


def test_intervals_contain_the_metric_and_follow_the_seed() -> None:
    rng = np.random.default_rng(1)
    truth, probabilities = rng.integers(4, size=300), rng.dirichlet(np.ones(4), size=300)
    result = classification_intervals(truth, probabilities)
    assert result == classification_intervals(truth, probabilities)
    accuracy = (probabilities.argmax(axis=1) == truth).mean()
    assert result["accuracy"].low < accuracy < result["accuracy"].high
    assert set(result) == {"accuracy", "balanced_accuracy", "macro_f1", *(f"recall.{k}" for k in range(4))}


def test_mcnemar_counts_the_images_on_which_two_models_differ() -> None:
    first = np.array([True] * 90 + [False] * 10)
    second = np.array([True] * 80 + [False] * 10 + [True] * 2 + [False] * 8)
    result = mcnemar(np.zeros(100, int), predicting(first), predicting(second))
    assert (result.both, result.only_first, result.only_second, result.neither) == (80, 10, 2, 8)
    assert result.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)  # two-sided binomial, 2 or fewer of 12


def test_equal_models_do_not_differ() -> None:
    same = predicting(np.array([True, False]))
    assert mcnemar(np.zeros(2, int), same, same).p_value == 1


def test_a_paired_difference_is_that_of_the_two_metrics() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=300)
    first, second = rng.dirichlet(np.ones(4), size=(2, 300))
    second[:20] = 0  # no prediction
    result = paired_differences(truth, first, second)
    one, other = classification_metrics(truth, first), classification_metrics(truth, second)
    assert result["accuracy"].value == pytest.approx(one.accuracy - other.accuracy)
    assert result["balanced_accuracy"].value == pytest.approx(one.balanced_accuracy - other.balanced_accuracy)
    assert all(one.low < one.value < one.high for one in result.values())
    assert result == paired_differences(truth, first, second)


def test_the_interval_of_a_difference_is_paired() -> None:
    first = np.array([True] * 900 + [False] * 100)
    second = np.array([True] * 800 + [False] * 100 + [True] * 20 + [False] * 80)
    result = paired_differences(np.zeros(1000, int), predicting(first), predicting(second), resamples=4000)[
        "accuracy"
    ]
    spread = 1.96 * np.sqrt(100 + 20 - 80**2 / 1000) / 1000
    assert (result.low, result.high) == pytest.approx((0.08 - spread, 0.08 + spread), abs=0.002)
    people = np.array([f"person {i // 50}" for i in range(1000)])
    together = paired_differences(np.zeros(1000, int), predicting(first), predicting(second), clusters=people)[
        "accuracy"
    ]
    assert together.high - together.low > 2 * (result.high - result.low)


def test_the_same_predictions_do_not_differ() -> None:
    same = predicting(np.arange(10) < 5)
    assert paired_differences(np.zeros(10, int), same, same)["accuracy"] == Interval(value=0.0, low=0.0, high=0.0)


def test_any_statistic_of_sums_has_an_interval() -> None:
    truth = np.arange(400) % 4
    correct, seeds = np.random.default_rng(0).random(400) < 0.7, np.ones(400)
    people = np.array([str(i // 8) for i in range(400)])
    for clusters in (None, people):
        mine = bootstrap(lambda hits, images: hits / images, correct, seeds, clusters=clusters)
        theirs = classification_intervals(
            truth, np.eye(4)[np.where(correct, truth, (truth + 1) % 4)], clusters=clusters
        )
        assert mine.value == theirs["accuracy"].value == correct.mean()
        assert (mine.low, mine.high) == pytest.approx((theirs["accuracy"].low, theirs["accuracy"].high), abs=0.01)
    with pytest.raises(InputError, match="columns of 400, 399 images"):
        bootstrap(lambda a, b: a / b, correct, seeds[1:])
