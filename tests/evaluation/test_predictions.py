from __future__ import annotations

import numpy as np
import pytest

from mien.errors import InputError
from mien.evaluation.predictions import from_rows, matched
from mien.labels import AFFECTNET_7, FERPLUS, RAF_DB, LabelSet

PATHS = np.array(["a.png", "b.png", "c.png"], dtype=object)


def test_classes_meet_by_name() -> None:
    truth = np.array([RAF_DB.index("anger"), RAF_DB.index("neutral"), RAF_DB.index("fear")])
    probabilities = np.zeros((3, 7))
    for row, name in enumerate(("anger", "neutral", "fear")):
        probabilities[row, AFFECTNET_7.index(name)] = 1
    found = matched(truth=truth, of=RAF_DB, probabilities=probabilities, answered=AFFECTNET_7, path=PATHS)
    assert found.labels == RAF_DB
    assert found.probabilities.argmax(axis=1).tolist() == truth.tolist()
    assert not found.notes


def test_a_class_more_in_the_network_is_taken_out_of_its_answers() -> None:
    probabilities = np.full((3, 8), 0.1)
    probabilities[:, FERPLUS.index("contempt")] = 0.3
    found = matched(truth=np.zeros(3, int), of=RAF_DB, probabilities=probabilities, answered=FERPLUS, path=PATHS)
    np.testing.assert_allclose(found.probabilities, 1 / 7)
    assert found.notes == ("the answers were restricted to the classes of the set (without contempt)",)


def test_a_class_more_in_the_set_leaves_its_images_out_and_says_so() -> None:
    truth = np.array([FERPLUS.index("contempt"), FERPLUS.index("fear"), -1])
    found = matched(truth=truth, of=FERPLUS, probabilities=np.eye(7)[:3], answered=RAF_DB, path=PATHS)
    assert found.path.tolist() == ["b.png"]
    assert "contempt" not in found.labels
    assert "1 without a single label" in found.notes[0]
    assert "1 of classes that the network lacks (contempt)" in found.notes[1]


def test_no_answer_stays_no_answer() -> None:
    found = matched(truth=np.zeros(3, int), of=RAF_DB, probabilities=np.zeros((3, 8)), answered=FERPLUS, path=PATHS)
    assert not found.probabilities.any()


def test_sets_without_two_common_classes_are_refused() -> None:
    with pytest.raises(InputError, match="too few in common"):
        matched(
            truth=np.zeros(3, int),
            of=LabelSet("squint scream fear"),
            probabilities=np.zeros((3, 7)),
            answered=RAF_DB,
            path=PATHS,
        )


def row(source: str, face: int | None, happiness: float) -> dict[str, object]:
    return {"source": source, "face": face, "p_happiness": happiness, "p_anger": 1 - happiness}


def test_the_largest_face_of_an_image_answers() -> None:
    labels = LabelSet("happiness anger")
    rows = [row("data/x/a.png", 0, 0.9), row("data/x/a.png", 1, 0.2), row("data/x/b.png", None, 0.5)]
    found = from_rows(rows, labels, ["x/a.png", "x/b.png", "x/c.png"], root="data")
    np.testing.assert_allclose(found, [[0.9, 0.1], [0, 0], [0, 0]])


def test_of_several_faces_the_one_in_the_box_answers() -> None:
    labels, sides = LabelSet("happiness anger"), ("left", "top", "right", "bottom")
    rows = [
        row("a.png", i, p) | dict(zip(sides, (50 * i, 0, 50 * i + 40, 40), strict=True))
        for i, p in enumerate((0.9, 0.2))
    ]
    boxes = np.array([[48.0, 2, 88, 42], [200, 200, 240, 240]])
    found = from_rows(rows, labels, ["a.png", "a.png"], root="data", boxes=boxes)
    np.testing.assert_allclose(found, [[0.2, 0.8], [0, 0]])


def test_a_table_of_other_images_is_refused() -> None:
    with pytest.raises(InputError, match=r"no source of the table \(y.png, ...\) is an image of the set"):
        from_rows([row("y.png", 0, 0.5)], LabelSet("happiness anger"), ["a.png"], root="data")


def test_a_name_that_fits_twice_is_refused() -> None:
    rows = [row("one/a.png", 0, 0.5), row("two/a.png", 0, 0.5)]
    with pytest.raises(InputError, match="2 sources that could be a.png"):
        from_rows(rows, LabelSet("happiness anger"), ["a.png"], root="data")


def test_the_whole_path_decides_where_a_name_fits_twice() -> None:
    rows = [row("one/a.png", 0, 0.5), row("two/a.png", 0, 0.75)]
    found = from_rows(rows, LabelSet("happiness anger"), ["a.png"], root="two")
    assert found.tolist() == [[0.75, 0.25]]
