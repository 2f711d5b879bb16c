"""Predictions of the shipped default weights do not move."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from tests.conftest import EXAMPLES

GOLDEN = Path(__file__).parents[1] / "golden"
PREDICTIONS: dict[str, list[dict[str, Any]]] = json.loads((GOLDEN / "predictions.json").read_text())


@pytest.fixture(scope="module")
def single() -> mien.Recognizer:
    return mien.load(threads=1, precision="float32")


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_are_those_of_the_shipped_weights(single: mien.Recognizer, name: str) -> None:
    """The last bits depend on the CPU, hence the tolerance."""
    folder = EXAMPLES if (EXAMPLES / name).exists() else GOLDEN / "poses"
    faces = single.predict(folder / name)
    assert len(faces) == len(PREDICTIONS[name])
    for face, golden in zip(faces, PREDICTIONS[name], strict=True):
        values = face.to_dict()
        for field in ("box", "detection", "landmarks"):
            np.testing.assert_allclose(values[field], golden[field], rtol=1e-5, atol=1e-5)
        for field in ("pose", "expression"):
            assert values[field] == pytest.approx(golden[field], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_int8_sees_the_same(name: str) -> None:
    faces = int8().predict((EXAMPLES if (EXAMPLES / name).exists() else GOLDEN / "poses") / name)
    for face, golden in zip(faces, PREDICTIONS[name], strict=True):
        assert face.to_dict()["expression"] == pytest.approx(golden["expression"], abs=0.1)
        away = np.linalg.norm(np.array(face.landmarks) - np.array(golden["landmarks"]), axis=1)
        assert away.mean() < 0.02 * face.box.width


@cache
def int8() -> mien.Recognizer:
    return mien.load(threads=1, precision="int8")
