"""Explanations over HTTP are those of the library."""

from __future__ import annotations

import numpy as np
import pytest

import mien
from mien.errors import OptionError
from mien.service.client import Client
from tests.service.conftest import Running


def test_it_is_the_map_of_the_library(shared: Running, photo: bytes, recognizer: mien.Recognizer) -> None:
    (expected,) = mien.explain(photo, recognizer=recognizer, label="surprise", curves=False)
    with Client(shared.url) as client:
        result = client.explain(photo, label="surprise")
        with pytest.raises(OptionError, match="face is 1, but the image has 1 face, from 0 on"):
            client.explain(photo, face=1)
        with pytest.raises(OptionError, match="bliss"):
            client.explain(photo, label="bliss")
    np.testing.assert_allclose(result["cells"], expected["occlusion"].values, atol=1e-4)
    np.testing.assert_allclose(result["matrix"], expected.matrix)
    assert (result["label"], result["face"], result["crop_px"]) == ("surprise", 0, len(expected.crop))
    assert result["probability"] == pytest.approx(expected.probability, abs=1e-5)


def test_one_that_waits_too_long_is_told_when_to_try_again(shared: Running, photo: bytes) -> None:
    """The worker is busy, the queue takes what fits, and the rest is refused at once."""
    explainer = shared.state.explainer
    explainer._limit, limit = 0, explainer._limit
    explainer._idle, idle = 0, explainer._idle
    try:
        response = shared.client().post("/v1/explain", content=photo)
    finally:
        explainer._limit, explainer._idle = limit, idle
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1
