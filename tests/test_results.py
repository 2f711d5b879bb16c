from __future__ import annotations

import pytest

from mien.results import percent


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, ">99%"), (0.9951, ">99%"), (0.9939, "99%"), (0.625, "62%"), (0.01, "1%"), (0.0099, "<1%"), (0.0, "<1%")],
)
def test_no_probability_is_shown_as_certainty(probability: float, shown: str) -> None:
    assert percent(probability) == shown
