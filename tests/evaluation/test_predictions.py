from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Samples
from mien.errors import InputError
from mien.evaluation.predictions import align_labels, predictions_from_table
from mien.labels import AFFECTNET_7, FERPLUS, RAF_DB, LabelSet

TWO = LabelSet("happiness anger")


def images(
    truth: np.ndarray, labels: LabelSet, *paths: str, root: str = "data", box: np.ndarray | None = None
) -> Samples:
    names = np.array(paths or [f"{i}.png" for i in range(len(truth))], dtype=object)
    return Samples(
        labels=labels,
        files=cast(Distribution, root),
        path=names,
        label=truth,
        split=np.full(len(names), ""),
        box=box,
    )


def test_classes_are_matched_by_name() -> None:
    truth = np.array([RAF_DB.index("anger"), RAF_DB.index("neutral"), RAF_DB.index("fear")])
    probabilities = np.zeros((3, 7))
    for row, name in enumerate(("anger", "neutral", "fear")):
        probabilities[row, AFFECTNET_7.index(name)] = 1
    result = align_labels(probabilities, AFFECTNET_7, images(truth, RAF_DB))
    assert result.labels == RAF_DB
    assert result.probabilities.argmax(axis=1).tolist() == truth.tolist()
    assert not result.notes


def test_a_class_that_the_set_lacks_is_removed_from_the_predictions() -> None:
    probabilities = np.full((3, 8), 0.1)
    probabilities[:, FERPLUS.index("contempt")] = 0.3
    result = align_labels(probabilities, FERPLUS, images(np.zeros(3, int), RAF_DB))
    np.testing.assert_allclose(result.probabilities, 1 / 7)
    assert result.notes == ("predictions are restricted to the classes of the set (without contempt)",)


def test_images_of_a_class_that_the_network_lacks_are_excluded_with_a_note() -> None:
    truth = np.array([FERPLUS.index("contempt"), FERPLUS.index("fear"), -1])
    result = align_labels(np.eye(7)[:3], RAF_DB, images(truth, FERPLUS))
    assert result.path.tolist() == ["1.png"]
    assert "contempt" not in result.labels
    assert "1 without a single label" in result.notes[0]
    assert "1 of classes that the network lacks (contempt)" in result.notes[1]


def test_no_prediction_stays_no_prediction() -> None:
    result = align_labels(np.zeros((3, 8)), FERPLUS, images(np.zeros(3, int), RAF_DB))
    assert not result.probabilities.any()


def test_sets_without_two_common_classes_are_refused() -> None:
    with pytest.raises(InputError, match="fewer than two in common"):
        align_labels(np.zeros((3, 7)), RAF_DB, images(np.zeros(3, int), LabelSet("squint scream fear")))


def row(source: str, face: int | None, happiness: float) -> dict[str, object]:
    return {"source": source, "face": face, "p_happiness": happiness, "p_anger": 1 - happiness}


def test_the_largest_face_of_an_image_counts() -> None:
    labels = LabelSet("happiness anger")
    rows = [row("data/x/a.png", 0, 0.9), row("data/x/a.png", 1, 0.2), row("data/x/b.png", None, 0.5)]
    result = predictions_from_table(rows, labels, images(np.zeros(3, int), labels, "x/a.png", "x/b.png", "x/c.png"))
    np.testing.assert_allclose(result, [[0.9, 0.1], [0, 0], [0, 0]])


def test_of_several_faces_the_one_in_the_box_counts() -> None:
    labels, sides = LabelSet("happiness anger"), ("left", "top", "right", "bottom")
    rows = [
        row("a.png", i, p) | dict(zip(sides, (50 * i, 0, 50 * i + 40, 40), strict=True))
        for i, p in enumerate((0.9, 0.2))
    ]
    boxes = np.array([[48.0, 2, 88, 42], [200, 200, 240, 240]])
    result = predictions_from_table(rows, labels, images(np.zeros(2, int), labels, "a.png", "a.png", box=boxes))
    np.testing.assert_allclose(result, [[0.2, 0.8], [0, 0]])


def test_a_table_of_other_images_is_refused() -> None:
    with pytest.raises(InputError, match=r"no source of the table \(y.png, ...\) is an image of the set"):
        predictions_from_table([row("y.png", 0, 0.5)], TWO, images(np.zeros(1, int), TWO, "a.png"))


def test_a_name_that_fits_twice_is_refused() -> None:
    rows = [row("one/a.png", 0, 0.5), row("two/a.png", 0, 0.5)]
    with pytest.raises(InputError, match="2 sources that could be a.png"):
        predictions_from_table(rows, TWO, images(np.zeros(1, int), TWO, "a.png"))


def test_the_whole_path_decides_where_a_name_fits_twice() -> None:
    rows = [row("one/a.png", 0, 0.5), row("two/a.png", 0, 0.75)]
    result = predictions_from_table(rows, TWO, images(np.zeros(1, int), TWO, "a.png", root="two"))
    assert result.tolist() == [[0.75, 0.25]]
