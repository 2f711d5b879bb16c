from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="metrics need scikit-learn: pip install 'mien[evaluate]'")

from mien.errors import InputError
from mien.evaluation.plots import distinct
from mien.evaluation.predictions import Predictions
from mien.evaluation.result import Evaluation, MisclassifiedImage, most_confident_errors, summarize
from mien.evaluation.robustness import robustness
from mien.evaluation.tables import comparison_text
from mien.labels import LabelSet
from mien.metrics import Interval
from mien.models.paper_results import PAPER_RESULTS, find_paper_result


@pytest.fixture
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=120)
    probabilities = rng.dirichlet(np.ones(3), size=120)
    probabilities[np.arange(120), truth] += 0.8
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(
        labels=LabelSet("neutral fear anger"),
        truth=truth,
        probabilities=probabilities,
        path=np.array([f"{i}.png" for i in range(120)], dtype=object),
        row=np.arange(120),
        subject=np.array([f"{i // 10}" for i in range(120)], dtype=object),
        pose=np.array(["-30", "0", "+30"] * 40, dtype=object),
    )


@pytest.fixture
def evaluation(predictions: Predictions) -> Evaluation:
    paper = find_paper_result("poster", "raf-db", 7)
    image = np.zeros((20, 30, 3), np.uint8)
    error = MisclassifiedImage(path="<a>.png", truth="fear", predicted="anger", confidence=0.9, image=lambda: image)
    return summarize(
        predictions,
        settings={"weights": "<mine>", "dataset": "made up"},
        other=predictions,
        compared=("<mine>", "it"),
        paper_result=paper,
        misclassified=(error,),
    )


def test_mcnemar_of_images_of_one_person_comes_with_a_caution(predictions: Predictions) -> None:
    options = {"settings": {}, "other": predictions, "compared": ("a", "b")}
    of_people = summarize(predictions, **options)
    assert comparison_text(of_people).endswith("p = 1 as if images were independent; the interval is of subjects.")
    assert comparison_text(summarize(replace(predictions, subject=None), **options)).endswith("McNemar p = 1.")


def test_subjects_are_resampled_where_they_are_known(evaluation: Evaluation, predictions: Predictions) -> None:
    assert evaluation.resampled == "subjects"
    alone = replace(predictions, subject=None)
    assert summarize(alone, settings={}).resampled == "images"
    films = summarize(replace(alone, group=predictions.subject), settings={})
    assert films.resampled == "groups"
    assert films.intervals == evaluation.intervals  # of the same images together
    assert films.predictions.take(np.arange(5)).clusters is not None


def test_poses_stand_in_the_order_of_their_angle(evaluation: Evaluation, predictions: Predictions) -> None:
    assert [pose.pose for pose in evaluation.poses] == ["-30", "0", "+30"]
    correct = predictions.probabilities.argmax(axis=1) == predictions.truth
    assert evaluation.pose_average == pytest.approx(np.mean([correct[i::3].mean() for i in range(3)]))


def test_intervals_are_named_by_class(evaluation: Evaluation) -> None:
    assert set(evaluation.intervals) == {
        "accuracy", "balanced_accuracy", "macro_f1", "recall.neutral", "recall.fear", "recall.anger",
    }  # fmt: skip


def test_the_representation_is_one_line(evaluation: Evaluation) -> None:
    assert re.fullmatch(
        r"Evaluation\(<mine> on made up: accuracy [\d.]+% \([\d.]+% to [\d.]+%\), balanced accuracy [\d.]+%, "
        r"120 images\)",
        repr(evaluation),
    )
    assert "'<mine>' over 'it': accuracy +0.00 points" in repr(evaluation.comparison)


def test_an_evaluation_is_json(evaluation: Evaluation) -> None:
    values = json.loads(json.dumps(evaluation.to_dict()))
    assert values["metrics"]["classes"]["fear"]["count"] > 0
    assert values["paper_result"]["accuracy"] == 0.9205
    assert values["comparison"]["mcnemar"]["p_value"] == 1
    error = {"path": "<a>.png", "truth": "fear", "predicted": "anger", "confidence": 0.9}
    assert values["misclassified"] == [error]


def test_errors_are_listed_by_confidence(predictions: Predictions) -> None:
    wrong = most_confident_errors(predictions, most=5)
    assert all(predictions.probabilities[row].argmax() != predictions.truth[row] for row, _ in wrong)
    assert [confidence for _, confidence in wrong] == sorted((one for _, one in wrong), reverse=True)


def test_predictions_for_other_images_are_not_compared(predictions: Predictions) -> None:
    fewer = predictions.take(np.arange(100))
    with pytest.raises(InputError, match="same images"):
        summarize(predictions, settings={}, other=fewer)
    with pytest.raises(InputError, match="same images"):
        robustness(predictions, [("blur", "mild", 0, fewer)], yaw_deg=np.zeros(120))


def test_thresholds_at_one_point_of_the_plot_are_named_once() -> None:
    points = [(0.0, 1.0, 0.8), (0.2, 1.0, 0.8), (0.4, 0.9, 0.85), (0.6, 0.7, 0.9)]
    assert distinct(points) == points[1:]
    assert distinct([]) == []


def test_the_page_is_self_contained_and_escapes_text(evaluation: Evaluation) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'mien[evaluate]'")
    text = evaluation.to_html()
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(str(value) for key, value in attrs if key in ("src", "href"))

    Links().feed(text)
    assert [link for link in links if not link.startswith(("data:image/jpeg;base64,", "#"))] == []
    assert text.startswith("<!doctype html>")
    assert "&lt;mine&gt; on made up" in text
    assert "&lt;a&gt;.png" in text
    assert "Accuracy in the paper of poster: 92.05%" in text
    assert text == evaluation.to_html()


@pytest.fixture
def robust(predictions: Predictions) -> Evaluation:
    """Half of the predictions turn wrong at the second severity; the other weights are always wrong."""
    wrong = np.roll(np.eye(3)[predictions.truth], 1, axis=1)
    half = np.where((np.arange(120) % 2 == 0)[:, None], wrong, predictions.probabilities)
    worse, other = replace(predictions, probabilities=half), replace(predictions, probabilities=wrong)
    result = robustness(
        predictions,
        [("blur", "<mild>", 0, predictions), ("blur", "hard", 120, worse), ("grey", "grey", 120, predictions)],
        yaw_deg=np.array([np.nan, 5.0, -15.0, 50.0] * 30),
        other=[other] * 3,
    )
    return summarize(predictions, settings={}, other=other, compared=("now", "before"), robustness=result)


def test_every_severity_is_compared_with_the_clean_images(robust: Evaluation) -> None:
    result = robust.robustness
    assert result is not None
    mild, hard, grey = result.corruptions
    clean = robust.metrics.accuracy
    assert mild.accuracy_change == Interval(value=0, low=0, high=0)
    assert hard.accuracy_change.value == pytest.approx(hard.accuracy - clean)
    assert hard.accuracy_change.high < 0
    assert hard.accuracy_gain is not None
    assert hard.accuracy_gain.value == pytest.approx(hard.accuracy)
    assert robust.comparison is not None
    assert robust.comparison.accuracy.value == pytest.approx(clean)
    assert result.mean_accuracy == pytest.approx(((clean + hard.accuracy) / 2 + clean) / 2)


def test_yaw_bins_are_of_the_absolute_yaw(robust: Evaluation, predictions: Predictions) -> None:
    result = robust.robustness
    assert result is not None
    assert [(one.range, one.images) for one in result.yaw_bins] == [
        ("under 10°", 30), ("10 to 20°", 30), ("over 35°", 30),
    ]  # fmt: skip
    correct = predictions.probabilities.argmax(axis=1) == predictions.truth
    assert result.yaw_bins[0].accuracy.value == pytest.approx(correct[1::4].mean())


def test_robustness_is_in_the_json_and_on_the_page(robust: Evaluation) -> None:
    values = json.loads(json.dumps(robust.to_dict()))["robustness"]
    assert values["corruptions"][1]["accuracy_change"]["value"] < 0
    assert values["mean_accuracy"] < robust.metrics.accuracy
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'mien[evaluate]'")
    text = robust.to_html()
    assert ">Robustness</h2>" in text
    assert "blur, &lt;mild&gt;" in text
    assert "the dashed line before" in text


def test_paper_results_are_shares_of_one() -> None:
    assert all(0 < result.accuracy < 1 for result in PAPER_RESULTS)
    assert len({(one.network, one.dataset, one.classes) for one in PAPER_RESULTS}) == len(PAPER_RESULTS)
