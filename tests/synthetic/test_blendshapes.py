"""Emotions move the landmarks as FACS says."""

from __future__ import annotations

import numpy as np
import pytest

from mien.labels import FERPLUS, Expression
from mien.synthetic.blendshapes import ACTION_UNITS, SHAPES, VARIANTS, compose, units_to_shapes
from mien.synthetic.face_model import FaceModel

BROWS, CORNERS, CHIN, LOWER_LIP, UPPER_LIP = slice(17, 27), [48, 54], 8, 66, 62


def moved(model: FaceModel, expression: Expression, intensity: int = 4, draws: int = 20) -> np.ndarray:
    """How the landmarks move (draws, 68, 3), in centimetres, y down."""
    rng = np.random.default_rng(3)
    shown = [compose(expression, intensity, rng) for _ in range(draws)]
    return np.array([model.offsets(one.weights)[model.landmarks] for one in shown])


def test_every_class_has_variants_and_every_unit_stands_in_the_table() -> None:
    assert set(VARIANTS) == set(FERPLUS)
    for variants in VARIANTS.values():
        for variant in variants:
            assert {*variant.units, *(unit for unit, _ in variant.sometimes)} <= ACTION_UNITS.keys()


def test_happiness_lifts_the_mouth_corners(model: FaceModel) -> None:
    assert (moved(model, Expression.HAPPINESS)[:, CORNERS, 1] < -0.3).all()


def test_sadness_lowers_the_mouth_corners(model: FaceModel) -> None:
    assert (moved(model, Expression.SADNESS)[:, CORNERS, 1] > 0.1).all()


def test_anger_lowers_the_brows(model: FaceModel) -> None:
    assert (moved(model, Expression.ANGER)[:, BROWS, 1].mean(axis=1) > 0.2).all()


def test_surprise_lifts_the_brows_and_drops_the_jaw(model: FaceModel) -> None:
    movement = moved(model, Expression.SURPRISE)
    assert (movement[:, BROWS, 1].mean(axis=1) < -0.2).all()
    assert movement[:, CHIN, 1].max() > 0.5


def test_surprise_and_fear_part_the_lips(real_model: FaceModel) -> None:
    for expression in (Expression.SURPRISE, Expression.FEAR):
        movement = moved(real_model, expression)
        assert (movement[:, LOWER_LIP, 1] - movement[:, UPPER_LIP, 1] > 0.1).all()


def test_disgust_wrinkles_the_nose(real_model: FaceModel) -> None:
    wings = moved(real_model, Expression.DISGUST)[:, [31, 35], 1]
    assert wings.mean() < -0.1


def test_contempt_is_one_sided(model: FaceModel) -> None:
    for seed in range(10):
        shown = compose(Expression.CONTEMPT, 4, np.random.default_rng(seed))
        assert len({side for _, side in shown.units}) == 1


def test_both_sides_of_contempt_occur() -> None:
    sides = {compose(Expression.CONTEMPT, 4, np.random.default_rng(seed)).units[0][1] for seed in range(10)}
    assert sides == {"L", "R"}


def test_neutral_moves_little(model: FaceModel) -> None:
    shown = compose(Expression.NEUTRAL, 4, np.random.default_rng(0))
    assert shown.units == ()
    movement = moved(model, Expression.NEUTRAL)
    assert np.abs(movement[:, [*range(17, 36), *range(48, 68)], 1]).max() < 0.3


@pytest.mark.parametrize("expression", [e for e in VARIANTS if e != Expression.NEUTRAL])
def test_intensity_grows(expression: Expression) -> None:
    means = []
    for intensity in (1, 2, 3, 4):
        shown = [compose(expression, intensity, np.random.default_rng(seed)) for seed in range(20)]
        means.append(np.mean([sum(one.weights.values()) for one in shown]))
    assert means == sorted(means)


def test_only_known_shapes_are_used_and_none_beyond_tearing() -> None:
    rng = np.random.default_rng(1)
    for expression in VARIANTS:
        for _ in range(50):
            weights = compose(expression, 4, rng).weights
            assert weights.keys() <= SHAPES
            assert min(weights.values()) >= 0
            assert max(weights.values()) <= 1.75


def test_a_shape_without_sides_takes_the_mean_of_both() -> None:
    assert units_to_shapes({(26, "L"): 1.0, (26, "R"): 0.5})["jawOpen"] == pytest.approx(0.225)
