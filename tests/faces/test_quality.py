from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter

import mien
from mien.faces.quality import face_quality, sharpness
from mien.geometry import FLIP_68
from mien.results import FLAGS, Face, Pose, Quality
from tests.conftest import EXAMPLES

AHEAD = Pose(0.0, 0.0, 0.0)


@pytest.fixture(scope="session")
def portraits(recognizer: mien.Recognizer) -> list[tuple[np.ndarray, Face]]:
    """The two photos of the examples with their face."""
    images = [mien.read_image(EXAMPLES / name) for name in ("astronaut.jpg", "grace_hopper.jpg")]
    return [(image, recognizer.predict(image)[0]) for image in images]


def quality_of(image: np.ndarray, face: Face) -> Quality:
    assert face.pose is not None
    return face_quality(image, np.array(face.landmarks), face.pose)


def gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def test_the_photos_of_the_examples_can_be_seen_well(portraits: list[tuple[np.ndarray, Face]]) -> None:
    for _, face in portraits:
        assert face.quality is not None
        assert face.quality.flags == ()


@given(arrays(np.float64, st.tuples(st.integers(8, 40), st.integers(8, 40)), elements=st.floats(0, 1)))
def test_sharpness_is_a_share(grey: np.ndarray) -> None:
    assert 0 <= sharpness(grey) <= 1
    assert sharpness(grey) == sharpness(grey.T) == pytest.approx(sharpness(grey[::-1]), abs=1e-9)


def test_an_image_without_variation_has_no_sharpness() -> None:
    assert sharpness(np.full((20, 30), 0.4)) == 0
    assert sharpness(np.linspace(0, 1, 400).reshape(20, 20)) < 0.5


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 12.0), st.floats(1.1, 3.0))
def test_more_blur_is_never_sharper(portraits: list[tuple[np.ndarray, Face]], sigma: float, factor: float) -> None:
    for image, face in portraits:
        less, more = (quality_of(gaussian(image, s), face).sharpness for s in (sigma, factor * sigma))
        assert more <= max(less, 0.1) + 0.01  # levels are full numbers: below 0.1 their steps are what is left


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 1.0), st.floats(0.2, 0.95))
def test_less_light_is_never_brighter(portraits: list[tuple[np.ndarray, Face]], gain: float, factor: float) -> None:
    for image, face in portraits:
        more, less = (quality_of(np.rint(image * g).astype(np.uint8), face) for g in (gain, factor * gain))
        assert less.light <= more.light
        assert less.contrast <= more.contrast + 0.005
        assert less.clipped <= more.clipped
        assert 0 <= less.contrast <= less.light <= 1


@pytest.mark.parametrize("scale", [0.75, 0.5, 0.35, 0.25])
def test_small_is_not_taken_for_blurred(portraits: list[tuple[np.ndarray, Face]], scale: float) -> None:
    for image, face in portraits:
        pil = Image.fromarray(image)
        size = round(pil.width * scale), round(pil.height * scale)
        full, points = (
            quality_of(image, face),
            np.array(face.landmarks)
            * [
                size[0] / pil.width,
                size[1] / pil.height,
            ],
        )
        smaller = np.asarray(pil.resize(size, Image.Resampling.LANCZOS))
        assert face.pose is not None
        quality = face_quality(smaller, points, face.pose)
        assert quality.eye_px == pytest.approx(full.eye_px * scale, rel=0.02)
        assert quality.sharpness > full.sharpness - 0.05


def test_an_enlarged_face_is_no_sharper(portraits: list[tuple[np.ndarray, Face]]) -> None:
    image, face = portraits[0]
    assert face.pose is not None
    points = np.array(face.landmarks)
    tiny = Image.fromarray(image).resize((51, 51), Image.Resampling.LANCZOS)
    large = np.asarray(tiny.resize(image.shape[1::-1], Image.Resampling.BICUBIC))
    assert face_quality(large, points, face.pose).sharpness < quality_of(image, face).sharpness - 0.15


def test_shaking_in_one_direction_blurs(portraits: list[tuple[np.ndarray, Face]]) -> None:
    for image, face in portraits:
        for axis in (0, 1):
            shaken = np.mean([np.roll(image, step, axis=axis) for step in range(-12, 13)], axis=0)
            assert quality_of(shaken.astype(np.uint8), face).sharpness < 0.7 * quality_of(image, face).sharpness


def test_a_flipped_face_is_seen_as_well(portraits: list[tuple[np.ndarray, Face]]) -> None:
    for image, face in portraits:
        points = np.array(face.landmarks)[FLIP_68]
        points[:, 0] = image.shape[1] - points[:, 0]
        assert face.pose is not None
        pose = Pose(-face.pose.yaw_deg, face.pose.pitch_deg, -face.pose.roll_deg)
        flipped = face_quality(np.ascontiguousarray(image[:, ::-1]), points, pose)
        one, other = (np.array(list(q.to_dict().values())[:-1]) for q in (quality_of(image, face), flipped))
        np.testing.assert_allclose(one, other, rtol=0.03, atol=0.01)


def test_the_turn_joins_yaw_and_pitch_and_a_turned_head_keeps_its_size(
    portraits: list[tuple[np.ndarray, Face]],
) -> None:
    image, face = portraits[0]
    points = np.array(face.landmarks)
    ahead = face_quality(image, points, AHEAD)
    assert ahead.off_axis_deg == 0
    assert face_quality(image, points, Pose(-30.0, 0.0, 12.0)).off_axis_deg == pytest.approx(30)
    assert face_quality(image, points, Pose(0.0, 20.0, 0.0)).off_axis_deg == pytest.approx(20)
    assert face_quality(image, points, Pose(60.0, 0.0, 0.0)).eye_px == pytest.approx(2 * ahead.eye_px)
    assert face_quality(image, points, Pose(89.0, 0.0, 0.0)).eye_px == pytest.approx(2 * ahead.eye_px)


def test_faces_at_the_edge_and_of_few_pixels_are_measured(portraits: list[tuple[np.ndarray, Face]]) -> None:
    image, face = portraits[0]
    points = np.array(face.landmarks)
    for moved in (points - 300, points * 0.02, points * 5, points + np.array([1000, 0])):
        quality = face_quality(image, moved, AHEAD)
        assert all(
            np.isfinite(value) for value in (quality.eye_px, quality.sharpness, quality.light, quality.contrast)
        )


def test_every_flag_follows_from_its_measure() -> None:
    good = Quality(eye_px=60, off_axis_deg=5, sharpness=0.5, light=0.8, contrast=0.6, clipped=0.0)
    assert good.flags == ()
    bad = {
        "small": replace(good, eye_px=2),
        "off-axis": replace(good, off_axis_deg=80),
        "blurred": replace(good, sharpness=0.02),
        "dark": replace(good, light=0.02),
        "flat": replace(good, contrast=0.01),
        "overexposed": replace(good, clipped=0.9),
        "orientation": replace(good, upright=0.0),
    }
    assert tuple(bad) == FLAGS
    for flag, quality in bad.items():
        assert quality.flags == (flag,)
        assert Quality.from_dict(quality.to_dict()) == quality
