"""Faces at any roll: the same expression, the true roll, and no certainty where up is unknown."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import mien
from mien.geometry import Box, quarter_turn, transform_box
from tests.conftest import EXAMPLES


@pytest.mark.parametrize(("detect", "angles"), [(True, (45, 90, 135, 180, 225, 270, 315)), (False, (90, 180, 270))])
@pytest.mark.parametrize("name", ["astronaut.jpg", "grace_hopper.jpg"])
def test_a_turned_face_has_its_expression_and_its_true_roll(
    recognizer: mien.Recognizer, name: str, detect: bool, angles: tuple[int, ...]
) -> None:
    photo = Image.open(EXAMPLES / name)
    (upright,) = recognizer.predict(photo)
    assert upright.pose is not None
    assert upright.expression is not None
    if not detect:
        box = upright.box.squared().grown(1.6)
        photo = photo.crop((box.left, box.top, box.right, box.bottom))
    for angle in angles:  # clockwise
        (face,) = recognizer.predict(photo.rotate(-angle, Image.Resampling.BILINEAR, expand=True), detect=detect)
        assert face.pose is not None
        assert face.expression is not None
        if upright.certain:
            assert face.expression.top == upright.expression.top, angle
        assert abs((face.pose.roll_deg - upright.pose.roll_deg - angle + 180) % 360 - 180) < 10, angle
        assert face.quality is not None
        assert "orientation" not in face.quality.flags


@pytest.mark.parametrize("angle", [0, 90, 180, 270, 17, 133, 201, 304])  # counter-clockwise, as Pillow counts
def test_a_turned_portrait_is_never_certain_and_wrong_and_its_crop_is_upright(
    recognizer: mien.Recognizer, monkeypatch: pytest.MonkeyPatch, angle: int
) -> None:
    photo = Image.open(EXAMPLES / "grace_hopper.jpg")
    crops: list[np.ndarray] = []
    recognise = recognizer.network.probabilities

    def seen(x: np.ndarray) -> np.ndarray:
        crops.append(x[0].mean(axis=-1))
        return recognise(x)

    monkeypatch.setattr(recognizer.network, "probabilities", seen)
    (upright,) = recognizer.predict(photo)
    (face,) = recognizer.predict(photo.rotate(angle))
    assert face.pose is not None
    assert upright.pose is not None
    assert face.expression is not None
    assert face.certain is False or face.expression.top in ("neutral", "happiness")  # she does not look sad
    assert abs((face.pose.roll_deg - upright.pose.roll_deg + angle + 180) % 360 - 180) < 8
    assert np.corrcoef(crops[0].ravel(), crops[1].ravel())[0, 1] > 0.8


def test_upright_and_upside_down_in_one_photo(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    both = np.concatenate([astronaut, np.rot90(astronaut, 2)], axis=1)
    faces = recognizer.predict(both)
    assert len(faces) == 2
    assert all(face.expression is not None and face.expression.top == "happiness" for face in faces)
    rolls = sorted(abs(face.pose.roll_deg) for face in faces if face.pose is not None)
    assert rolls == pytest.approx([0, 180], abs=10)


def test_a_face_whose_up_is_unknown_is_never_certain(recognizer: mien.Recognizer) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    (face,) = recognizer.predict(noise, detect=False)
    assert face.quality is not None
    assert "orientation" in face.quality.flags
    assert face.certain is False


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_those_of_the_array(turns: int) -> None:
    image = np.zeros((5, 8))
    image[1, 2:4] = 1  # x 2..4, y 1..2
    where = transform_box(quarter_turn(turns, 8, 5), Box(2, 1, 4, 2))
    rows, columns = np.nonzero(np.rot90(image, turns))
    assert where == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
