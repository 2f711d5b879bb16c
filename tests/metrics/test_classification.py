from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="figures need scikit-learn: pip install 'mien[evaluate]'")

from sklearn import metrics as reference

from mien.errors import InputError
from mien.metrics.classification import figures

TRUTH = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.1, 0.8, 0.1], [0.0, 0.0, 0.0], [0.2, 0.3, 0.5]]
)  # right, wrong, right, no answer, right


def test_an_image_without_an_answer_counts_as_wrong() -> None:
    found = figures(TRUTH, PROBABILITIES)
    assert found.accuracy == 3 / 5
    assert found.answered == 4
    assert found.balanced_accuracy == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert found.confusion == ((1, 1, 0, 0), (0, 1, 0, 1), (0, 0, 1, 0))
    assert found.top2 == 4 / 5
    assert found.log_loss is None


def test_precision_of_a_class_that_is_never_called_is_unknown() -> None:
    found = figures(np.array([0, 1]), np.array([[1.0, 0, 0], [1.0, 0, 0]]))
    assert found.classes[1].precision is None
    assert found.classes[1].recall == 0
    assert found.classes[2].recall is None
    assert found.balanced_accuracy == 0.5


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.75, 0.25]] * 4)
    assert figures(np.array([0, 0, 0, 1]), probabilities).calibration_error == pytest.approx(0)
    assert figures(np.array([0, 0, 1, 1]), probabilities).calibration_error == pytest.approx(0.25)


def test_a_threshold_withholds_the_doubtful() -> None:
    cover = {c.threshold: c for c in figures(TRUTH, PROBABILITIES).coverage}
    assert (cover[0.0].share, cover[0.0].accuracy) == (4 / 5, 3 / 4)
    assert (cover[0.7].share, cover[0.7].accuracy) == (2 / 5, 1)
    assert cover[0.95].accuracy is None


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_figures_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(classes, size=40)])
    probabilities = rng.dirichlet(np.ones(classes), size=len(truth))
    found, answer = figures(truth, probabilities), probabilities.argmax(axis=1)
    assert found.accuracy == pytest.approx(reference.accuracy_score(truth, answer))
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(truth, answer))
    assert found.macro_f1 == pytest.approx(reference.f1_score(truth, answer, average="macro"))
    assert found.log_loss == pytest.approx(reference.log_loss(truth, probabilities, labels=range(classes)))
    if classes > 2:
        top2 = reference.top_k_accuracy_score(truth, probabilities, k=2, labels=range(classes))
        assert found.top2 == pytest.approx(top2)


@pytest.mark.parametrize(
    ("truth", "probabilities", "said"),
    [
        ([], np.zeros((0, 3)), "no labelled image"),
        ([0, 1], np.zeros((3, 3)), "do not fit"),
        ([3], np.ones((1, 3)), "labels lie in 3..3, classes in 0..2"),
        ([0], np.array([[np.nan, 1]]), "not finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(truth: list[int], probabilities: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        figures(np.array(truth, dtype=int), probabilities)
