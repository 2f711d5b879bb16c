from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="reports need scikit-learn: pip install 'mien[evaluate]'")

from mien.errors import InputError
from mien.evaluation.html import Mistake, page
from mien.evaluation.plots import told_apart
from mien.evaluation.predictions import Predictions
from mien.evaluation.report import Report, mistakes, report
from mien.evaluation.robustness import robustness
from mien.labels import LabelSet
from mien.models.paper_results import PAPER_RESULTS, find_paper_result


@pytest.fixture
def found() -> Predictions:
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
def judged(found: Predictions) -> Report:
    paper = find_paper_result("poster", "raf-db", 7)
    return report(
        found, of={"weights": "<mine>", "set": "made up"}, published=paper, other=found, compared_with="it"
    )


def test_people_are_drawn_where_they_are_known(judged: Report) -> None:
    assert judged.by_subject


def test_poses_stand_in_the_order_of_their_angle(judged: Report, found: Predictions) -> None:
    assert [pose.pose for pose in judged.poses] == ["-30", "0", "+30"]
    right = found.probabilities.argmax(axis=1) == found.truth
    assert judged.pose_average == pytest.approx(np.mean([right[i::3].mean() for i in range(3)]))


def test_intervals_are_called_by_class(judged: Report) -> None:
    assert set(judged.intervals) == {
        "accuracy", "balanced_accuracy", "macro_f1", "recall.neutral", "recall.fear", "recall.anger",
    }  # fmt: skip


def test_a_report_is_json(judged: Report) -> None:
    values = json.loads(json.dumps(judged.to_dict()))
    assert values["figures"]["classes"]["fear"]["count"] > 0
    assert values["published"]["accuracy"] == 0.9205


def test_the_surest_mistakes_come_first(found: Predictions) -> None:
    wrong = mistakes(found, most=5)
    assert all(found.probabilities[row].argmax() != found.truth[row] for row, _ in wrong)
    assert [sure for _, sure in wrong] == sorted((sure for _, sure in wrong), reverse=True)


def test_models_that_answered_other_images_are_not_compared(found: Predictions) -> None:
    with pytest.raises(InputError, match="same images"):
        report(found, of={}, other=found.take(np.arange(100)))
    with pytest.raises(InputError, match="same images"):
        robustness(found, [("blur", "mild", 0, found.take(np.arange(100)))], yaw_deg=np.zeros(120))


def test_thresholds_at_one_point_of_the_plot_are_named_once() -> None:
    covers = [(0.0, 1.0, 0.8), (0.2, 1.0, 0.8), (0.4, 0.9, 0.85), (0.6, 0.7, 0.9)]
    assert told_apart(covers) == covers[1:]
    assert told_apart([]) == []


def test_the_page_stands_alone_and_shows_what_was_said(judged: Report) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'mien[evaluate]'")
    image = np.zeros((20, 30, 3), np.uint8)
    text = page(
        judged, [Mistake(name="<a>.png", truth="fear", answer="anger", confidence=0.9, image=lambda: image)]
    )
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(str(value) for key, value in attrs if key in ("src", "href"))

    Links().feed(text)
    assert [link for link in links if not link.startswith(("data:image/jpeg;base64,", "#"))] == []
    assert "&lt;mine&gt; on made up" in text
    assert "&lt;a&gt;.png" in text
    assert "Accuracy in the paper of poster: 92.05%" in text
    assert text == page(
        judged, [Mistake(name="<a>.png", truth="fear", answer="anger", confidence=0.9, image=lambda: image)]
    )


@pytest.fixture
def robust(found: Predictions) -> Report:
    """Half of the answers turn wrong in the second version; the other weights are always wrong."""
    wrong = np.roll(np.eye(3)[found.truth], 1, axis=1)
    half = np.where((np.arange(120) % 2 == 0)[:, None], wrong, found.probabilities)
    worse, other = replace(found, probabilities=half), replace(found, probabilities=wrong)
    said = robustness(
        found,
        [("blur", "<mild>", 0, found), ("blur", "hard", 120, worse), ("grey", "grey", 120, found)],
        yaw_deg=np.array([np.nan, 5.0, -15.0, 50.0] * 30),
        other=(other, [other] * 3),
    )
    return report(found, of={}, other=other, compared_with="before", robustness=said)


def test_every_version_is_compared_with_the_clean_images(robust: Report) -> None:
    said = robust.robustness
    assert said is not None
    mild, hard, grey = said.versions
    clean = robust.figures.accuracy
    assert (mild.accuracy_change.value, mild.accuracy_change.low, mild.accuracy_change.high) == (0, 0, 0)
    assert hard.accuracy_change.value == pytest.approx(hard.accuracy - clean)
    assert hard.accuracy_change.high < 0
    assert hard.accuracy_gain is not None
    assert hard.accuracy_gain.value == pytest.approx(hard.accuracy)
    assert said.clean_gain is not None
    assert said.clean_gain.value == pytest.approx(clean)
    assert said.mean_accuracy == pytest.approx(((clean + hard.accuracy) / 2 + clean) / 2)


def test_turned_heads_are_counted_by_the_size_of_their_yaw(robust: Report, found: Predictions) -> None:
    said = robust.robustness
    assert said is not None
    assert [(turned.yaw, turned.images) for turned in said.turned] == [
        ("under 10°", 30), ("10 to 20°", 30), ("over 35°", 30),
    ]  # fmt: skip
    right = found.probabilities.argmax(axis=1) == found.truth
    assert said.turned[0].accuracy == pytest.approx(right[1::4].mean())


def test_robustness_is_in_the_json_and_on_the_page(robust: Report) -> None:
    values = json.loads(json.dumps(robust.to_dict()))["robustness"]
    assert values["versions"][1]["accuracy_change"]["value"] < 0
    assert values["mean_accuracy"] < robust.figures.accuracy
    pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install 'mien[evaluate]'")
    text = page(robust)
    assert "<h2>Robustness</h2>" in text
    assert "blur, &lt;mild&gt;" in text
    assert "the dashed line before" in text


def test_published_figures_are_shares_of_one() -> None:
    assert all(0 < figure.accuracy < 1 for figure in PAPER_RESULTS)
    assert len({(f.network, f.dataset, f.classes) for f in PAPER_RESULTS}) == len(PAPER_RESULTS)
