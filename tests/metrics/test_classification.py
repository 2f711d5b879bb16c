from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="metrics need scikit-learn: pip install 'mien[evaluate]'")

from sklearn import metrics as reference

from mien.errors import InputError
from mien.metrics import balanced_accuracy, classification_metrics

TRUTH = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.1, 0.8, 0.1], [0.0, 0.0, 0.0], [0.2, 0.3, 0.5]]
)  # correct, wrong, correct, no prediction, correct


def test_an_image_without_a_prediction_counts_as_wrong() -> None:
    result = classification_metrics(TRUTH, PROBABILITIES)
    assert result.accuracy == 3 / 5
    assert result.predicted == 4
    assert result.balanced_accuracy == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert result.confusion == ((1, 1, 0, 0), (0, 1, 0, 1), (0, 0, 1, 0))
    assert result.top2_accuracy == 4 / 5
    assert result.log_loss is None


def test_precision_of_a_class_that_is_never_predicted_is_unknown() -> None:
    result = classification_metrics(np.array([0, 1]), np.array([[1.0, 0, 0], [1.0, 0, 0]]))
    assert result.classes[1].precision is None
    assert result.classes[1].recall == 0
    assert result.classes[2].recall is None
    assert result.balanced_accuracy == 0.5


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.75, 0.25]] * 4)
    assert classification_metrics(np.array([0, 0, 0, 1]), probabilities).ece == pytest.approx(0)
    assert classification_metrics(np.array([0, 0, 1, 1]), probabilities).ece == pytest.approx(0.25)


def test_a_threshold_withholds_predictions_of_low_confidence() -> None:
    points = {point.threshold: point for point in classification_metrics(TRUTH, PROBABILITIES).risk_coverage}
    assert (points[0.0].coverage, points[0.0].accuracy) == (4 / 5, 3 / 4)
    assert (points[0.7].coverage, points[0.7].accuracy) == (2 / 5, 1)
    assert points[0.95].accuracy is None


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_metrics_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), rng.integers(classes, size=40)])
    probabilities = rng.dirichlet(np.ones(classes), size=len(truth))
    result, predicted = classification_metrics(truth, probabilities), probabilities.argmax(axis=1)
    assert result.accuracy == pytest.approx(reference.accuracy_score(truth, predicted))
    assert result.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert result.balanced_accuracy == balanced_accuracy(truth, predicted)
    assert result.macro_f1 == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert result.log_loss == pytest.approx(reference.log_loss(truth, probabilities, labels=range(classes)))
    if classes > 2:
        top2 = reference.top_k_accuracy_score(truth, probabilities, k=2, labels=range(classes))
        assert result.top2_accuracy == pytest.approx(top2)


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        ([], np.zeros((0, 3)), "no labelled image"),
        ([0, 1], np.zeros((3, 3)), "do not fit"),
        ([3], np.ones((1, 3)), "labels lie in 3..3, classes in 0..2"),
        ([0], np.array([[np.nan, 1]]), "not finite"),
    ],
)
def test_input_that_does_not_fit_is_refused(truth: list[int], probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        classification_metrics(np.array(truth, dtype=int), probabilities)
