from __future__ import annotations

import numpy as np
import pytest

from mien.metrics.classification import figures
from mien.metrics.uncertainty import Change, change, intervals, mcnemar


def answering(right: np.ndarray) -> np.ndarray:
    """Probabilities (N, 2) that are right (class 0) where `right`."""
    return np.stack([right, ~right], axis=1).astype(float)


def test_the_interval_of_accuracy_is_that_of_a_binomial() -> None:
    right = np.arange(1000) < 800
    found = intervals(np.zeros(1000, int), answering(right), draws=4000)["accuracy"]
    spread = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert found.low == pytest.approx(0.8 - spread, abs=0.004)
    assert found.high == pytest.approx(0.8 + spread, abs=0.004)


def test_images_of_one_person_widen_it() -> None:
    right = np.arange(1000) < 800
    people = np.array([f"person {i // 50}" for i in range(1000)])
    alone = intervals(np.zeros(1000, int), answering(right))["accuracy"]
    together = intervals(np.zeros(1000, int), answering(right), units=people)["accuracy"]
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_images_of_nobody_known_stand_alone() -> None:
    right = np.arange(1000) < 800
    alone = intervals(np.zeros(1000, int), answering(right), draws=4000)["accuracy"]
    nobody = intervals(np.zeros(1000, int), answering(right), units=np.full(1000, ""), draws=4000)["accuracy"]
    assert nobody.low == pytest.approx(alone.low, abs=0.004)


def test_intervals_hold_the_figure_and_follow_the_seed() -> None:
    rng = np.random.default_rng(1)
    truth, probabilities = rng.integers(4, size=300), rng.dirichlet(np.ones(4), size=300)
    found = intervals(truth, probabilities)
    assert found == intervals(truth, probabilities)
    accuracy = (probabilities.argmax(axis=1) == truth).mean()
    assert found["accuracy"].low < accuracy < found["accuracy"].high
    assert set(found) == {"accuracy", "balanced_accuracy", "macro_f1", *(f"recall.{k}" for k in range(4))}


def test_mcnemar_looks_at_the_images_on_which_two_models_differ() -> None:
    first = np.array([True] * 90 + [False] * 10)
    second = np.array([True] * 80 + [False] * 10 + [True] * 2 + [False] * 8)
    found = mcnemar(np.zeros(100, int), answering(first), answering(second))
    assert (found.both, found.only_first, found.only_second, found.neither) == (80, 10, 2, 8)
    assert found.difference == pytest.approx(0.08)
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)  # two-sided binomial, 2 or fewer of 12


def test_equal_models_do_not_differ() -> None:
    same = answering(np.array([True, False]))
    assert mcnemar(np.zeros(2, int), same, same).p_value == 1


def test_a_change_is_the_difference_of_two_judgements() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=300)
    first, second = rng.dirichlet(np.ones(4), size=(2, 300))
    second[:20] = 0  # no answer
    found = change(truth, first, second)
    one, other = figures(truth, first), figures(truth, second)
    assert found["accuracy"].value == pytest.approx(other.accuracy - one.accuracy)
    assert found["balanced_accuracy"].value == pytest.approx(other.balanced_accuracy - one.balanced_accuracy)
    assert all(one.low < one.value < one.high for one in found.values())
    assert found == change(truth, first, second)


def test_the_interval_of_a_change_is_paired() -> None:
    first = np.array([True] * 900 + [False] * 100)
    second = np.array([True] * 800 + [False] * 100 + [True] * 20 + [False] * 80)
    found = change(np.zeros(1000, int), answering(first), answering(second), draws=4000)["accuracy"]
    spread = 1.96 * np.sqrt(100 + 20 - 80**2 / 1000) / 1000
    assert (found.low, found.high) == pytest.approx((-0.08 - spread, -0.08 + spread), abs=0.002)
    people = np.array([f"person {i // 50}" for i in range(1000)])
    together = change(np.zeros(1000, int), answering(first), answering(second), units=people)["accuracy"]
    assert together.high - together.low > 2 * (found.high - found.low)


def test_the_same_answers_have_not_changed() -> None:
    same = answering(np.arange(10) < 5)
    assert change(np.zeros(10, int), same, same)["accuracy"] == Change(value=0.0, low=0.0, high=0.0)
