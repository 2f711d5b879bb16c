from __future__ import annotations

import numpy as np
import pytest

from mien.errors import UnknownNameError
from mien.evaluation.corruptions import (
    CORRUPTIONS,
    Corruption,
    FaceRegion,
    corrupt,
    select_corruptions,
    with_severities,
)

ALL = list(with_severities(select_corruptions("all")))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Smooth colours with some texture, 90 x 120."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(0, 1, 120), np.linspace(0, 1, 90))
    colours = np.stack([60 + 120 * x, 200 - 140 * y, 80 + 90 * x * y], axis=-1)
    return (colours + rng.integers(-12, 13, size=(90, 120, 1))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def face(image: np.ndarray) -> FaceRegion:
    """An upright face of about 60 px: jaw as a half circle, brows, nose, eyes, mouth where they belong."""
    turn = np.linspace(0, np.pi, 17)
    jaw = np.stack([60 - 25 * np.cos(turn), 38 + 32 * np.sin(turn)], axis=1)
    brows = np.stack([np.r_[np.linspace(40, 55, 5), np.linspace(65, 80, 5)], np.full(10, 28.0)], axis=1)
    ridge = np.stack([np.full(4, 60.0), np.linspace(35, 47, 4)], axis=1)
    nostrils = np.stack([np.linspace(55, 65, 5), np.full(5, 50.0)], axis=1)
    around = np.linspace(np.pi, -np.pi, 6, endpoint=False)
    eyes = [np.stack([x + 4 * np.cos(around), 35 - 2 * np.sin(around)], axis=1) for x in (48, 72)]
    mouth = np.stack([60 - 9 * np.cos(np.linspace(0, np.pi, 20)), np.full(20, 59.0)], axis=1)
    points = np.vstack([jaw, brows, ridge, nostrils, *eyes, mouth])
    assert points.shape == (68, 2)
    return FaceRegion.of(image, points)


def test_the_face_is_the_square_around_its_points_and_the_forehead(face: FaceRegion) -> None:
    assert face.points is not None
    high = np.ptp(face.points[:, 1])
    assert face.side_px == pytest.approx(1.3 * high)
    assert face.centre == pytest.approx((60, face.points[:, 1].max() - face.side_px / 2))


def test_without_points_the_image_is_the_face(image: np.ndarray) -> None:
    whole = FaceRegion.of(image, None)
    assert (whole.centre, whole.side_px) == ((60, 45), 120)
    for name in ("mask", "sunglasses"):
        for severity in CORRUPTIONS[name].severities:
            assert np.array_equal(corrupt(image, CORRUPTIONS[name], severity, region=whole, name="a"), image)


@pytest.mark.parametrize(("corruption", "severity"), ALL, ids=[f"{c.name} {severity}" for c, severity in ALL])
def test_every_corruption_gives_another_image_of_the_same_size_and_the_same_every_time(
    corruption: Corruption, severity: str, image: np.ndarray, face: FaceRegion
) -> None:
    before = image.copy()
    first, again = (corrupt(image, corruption, severity, region=face, name="a.png") for _ in range(2))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.array_equal(image, before)
    smaller = corruption.name != "resolution" or corruption.severities[severity] < face.side_px
    assert np.array_equal(first, image) != smaller


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in ("grey", "motion", "rotation")])
def test_each_severity_changes_more_of_the_image(name: str, image: np.ndarray, face: FaceRegion) -> None:
    lost = [
        np.abs(corrupt(image, CORRUPTIONS[name], severity, region=face, name="a").astype(int) - image).mean()
        for severity in CORRUPTIONS[name].severities
    ]
    assert lost == sorted(lost)


def test_what_is_random_follows_from_seed_and_name(image: np.ndarray, face: FaceRegion) -> None:
    def noisy(name: str, seed: int, severity: str = "16 of 255") -> np.ndarray:
        return corrupt(image, CORRUPTIONS["noise"], severity, region=face, name=name, seed=seed).astype(int) - image

    assert not np.array_equal(noisy("a", 0), noisy("b", 0))
    assert not np.array_equal(noisy("a", 0), noisy("a", 1))
    weak, strong = noisy("a", 0, "8 of 255").ravel(), noisy("a", 0, "16 of 255").ravel()
    assert np.corrcoef(weak, strong)[0, 1] > 0.95  # the same grain, stronger
    assert noisy("a", 0).std() == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "grey"])
def test_grey_images_stay_grey(name: str, image: np.ndarray, face: FaceRegion) -> None:
    grey = np.repeat(image[..., :1], 3, axis=2)
    for severity in CORRUPTIONS[name].severities:
        result = corrupt(grey, CORRUPTIONS[name], severity, region=face, name="a")
        assert (result == result[..., :1]).all()


def test_a_mask_hides_the_mouth_and_spares_the_eyes(image: np.ndarray, face: FaceRegion) -> None:
    result = corrupt(image, CORRUPTIONS["mask"], "mouth and nose", region=face, name="a")
    assert len(np.unique(result[55:64, 50:70].reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(result[:38], image[:38])


def test_sunglasses_hide_the_eyes_and_spare_the_mouth(image: np.ndarray, face: FaceRegion) -> None:
    result = corrupt(image, CORRUPTIONS["sunglasses"], "dark", region=face, name="a")
    for x in (48, 72):
        assert (result[33:38, x - 4 : x + 4] == (20, 20, 25)).all()
    assert np.array_equal(result[48:], image[48:])


def test_rotation_turns_about_the_face(image: np.ndarray, face: FaceRegion) -> None:
    result = corrupt(image, CORRUPTIONS["rotation"], "90°", region=face, name="a")
    x, y = (int(v) for v in face.centre)
    assert np.abs(result[y, x].astype(int) - image[y, x]).max() < 40
    inside = image[y - 15 : y + 15, x - 15 : x + 15].astype(float)
    turned = result[y - 15 : y + 15, x - 15 : x + 15].astype(float)
    likeness = [np.corrcoef(np.rot90(inside, k).ravel(), turned.ravel())[0, 1] for k in range(4)]
    assert int(np.argmax(likeness)) in (1, 3)


def test_a_face_at_the_edge_is_painted_as_far_as_it_is_there(image: np.ndarray, face: FaceRegion) -> None:
    assert face.points is not None
    moved = FaceRegion.of(image, face.points + np.array([70, 30]))
    for corruption, severity in ALL:
        assert corrupt(image, corruption, severity, region=moved, name="a").shape == image.shape


def test_corruptions_are_selected_by_name() -> None:
    assert [one.name for one in select_corruptions("noise, blur,noise")] == ["noise", "blur"]
    assert select_corruptions(["all"]) == select_corruptions("all") == list(CORRUPTIONS.values())
    assert select_corruptions("") == select_corruptions(()) == []
    with pytest.raises(UnknownNameError, match="Did you mean 'sunglasses'"):
        select_corruptions("sunglass")
