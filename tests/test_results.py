from __future__ import annotations

import pytest

from mien.errors import UnknownNameError
from mien.labels import LabelSet
from mien.results import Scores, percent


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, ">99%"), (0.9951, ">99%"), (0.9939, "99%"), (0.625, "62%"), (0.01, "1%"), (0.0099, "<1%"), (0.0, "<1%")],
)
def test_no_probability_is_shown_as_certainty(probability: float, shown: str) -> None:
    assert percent(probability) == shown


def test_scores_are_read_like_a_dictionary() -> None:
    scores = Scores(LabelSet(["happiness", "anger"]), (0.75, 0.25))
    assert dict(scores) == scores.to_dict() == {"happiness": 0.75, "anger": 0.25}
    assert list(scores) == ["happiness", "anger"]
    assert len(scores) == 2
    for label in ("Happiness", "happy", 0, None):
        with pytest.raises(
            UnknownNameError, match=r"No class called '\w+'\. (Did you mean 'happiness'|Known: anger)"
        ):
            scores[label]
