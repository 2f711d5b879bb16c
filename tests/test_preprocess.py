from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import InputError, OptionError, WeightsError
from mien.geometry import five_points, similarity, transform
from mien.preprocess import TEMPLATES, Preprocess, aligned_side, image_square, warp


def test_the_identity_copies_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(warp(image, np.eye(2, 3), 40), image)


def test_a_shift_by_whole_pixels_copies() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    matrix = np.array([[1.0, 0, -7], [0, 1, -3]])
    np.testing.assert_array_equal(warp(image, matrix, 20), image[3:23, 7:27])


def test_outside_the_image_the_edge_is_repeated() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, -1] = 200
    crop = warp(image, np.array([[1.0, 0, -5], [0, 1, 0]]), 20)
    assert (crop[:, 6:] == 200).all()


def test_a_large_face_is_averaged_not_sampled() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255  # sampling would give stripes or one of the two colours
    crop = warp(stripes, np.array([[0.1, 0, 0], [0, 0.1, 0]]), 40)
    assert abs(crop.astype(int) - 127).max() <= 2


def test_aligned_points_land_on_the_template(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    face = recognizer.predict(astronaut)[0]
    inputs = Preprocess(size_px=112)
    landed = transform(inputs.matrix(np.array(face.landmarks)), five_points(np.array(face.landmarks)))
    # a similarity cannot fit five points exactly; the eyes of a smiling face come within three pixels
    assert np.abs(landed - TEMPLATES["face"] * 112)[:2].max() < 3


def test_a_turned_and_scaled_image_gives_the_same_crop() -> None:
    # a smooth image and its points, seen again under a known similarity
    y, x = np.mgrid[0:200, 0:200]
    image = np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8)
    points = np.random.default_rng(0).normal(100, 20, (68, 2))
    points[36:42], points[42:48] = (80, 80), (120, 80)
    points[30], points[48], points[54] = (100, 105), (85, 125), (115, 125)
    inputs = Preprocess(size_px=64)
    crop = inputs.crop(image, points)
    turned = np.ascontiguousarray(np.rot90(image))  # (x, y) -> (y, 200 - x)
    moved = np.stack([points[:, 1], 200 - points[:, 0]], axis=1)
    assert np.abs(crop.astype(int) - inputs.crop(turned, moved)).max() <= 2


def test_normalising_is_imagenets() -> None:
    crops = np.full((1, 2, 2, 3), 255, np.uint8)
    x = Preprocess(size_px=2).normalise(crops)
    assert x.shape == (1, 3, 2, 2)
    np.testing.assert_allclose(
        x[0, :, 0, 0], [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-5
    )


def test_bgr_weights_get_swapped_channels() -> None:
    crops = np.zeros((1, 2, 2, 3), np.uint8)
    crops[..., 0] = 255
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    rgb = Preprocess(size_px=2, **plain).normalise(crops)
    bgr = Preprocess(size_px=2, channels="bgr", **plain).normalise(crops)
    assert rgb[0, :, 0, 0].tolist() == [1, 0, 0]
    assert bgr[0, :, 0, 0].tolist() == [0, 0, 1]


def test_training_augments_around_the_crop_of_prediction(
    astronaut: np.ndarray, recognizer: mien.Recognizer
) -> None:
    torch = pytest.importorskip("torch")
    from mien.augment.cropping import RandomAffine, random_affine

    points = np.array(recognizer.predict(astronaut)[0].landmarks)
    inputs = Preprocess(size_px=112)
    predicted = inputs.crop(astronaut, points)
    wider = inputs.matrix(points)
    wider[:, 2] += 40
    canvas = torch.from_numpy(warp(astronaut, wider, 192).copy()).permute(2, 0, 1)[None]
    untouched = RandomAffine(rotate_deg=0, scale=(1, 1), shift=0, flip=0)
    trained, _ = random_affine(canvas, 112, torch.Generator().manual_seed(0), untouched)
    difference = trained[0].permute(1, 2, 0).numpy() * 255 - predicted
    assert np.abs(difference).max() <= 1


def test_arcfaces_template_is_the_one_apvits_images_were_aligned_to() -> None:
    # face.evoLVe, REFERENCE_FACIAL_POINTS, for 96 x 112 pixels; its square is 8 pixels wider on each side
    points = [[30.29459953, 51.69630051], [65.53179932, 51.50139999], [48.02519989, 71.73660278]]
    points += [[33.54930115, 92.3655014], [62.72990036, 92.20410156]]
    np.testing.assert_allclose(TEMPLATES["arcface"] * 112 - np.array([8, 0]), points, atol=1e-4)


def test_a_box_is_upright_square_and_holds_points_and_forehead() -> None:
    points = np.random.default_rng(0).uniform((50, 80), (90, 100), (68, 2))
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    matrix = Preprocess(size_px=200, template="box").matrix(points)
    scale = 200 / (right - left)  # wider than high, even with the forehead
    np.testing.assert_allclose(matrix[:, :2], np.eye(2) * scale)
    landed = transform(matrix, np.array([[left, top - 0.3 * (bottom - top)], [right, bottom]]))
    np.testing.assert_allclose(landed[:, 0], [0, 200], atol=1e-9)
    np.testing.assert_allclose(landed[:, 1].sum(), 200)  # as much above the forehead as below the chin


def test_inputs_that_cannot_be_are_refused() -> None:
    with pytest.raises(OptionError, match="No template called 'faces'. Did you mean 'face'"):
        Preprocess(size_px=8, template="faces")
    with pytest.raises(OptionError, match="'rgb' or 'bgr'"):
        Preprocess(size_px=8, channels="RGB")


@pytest.mark.parametrize("landmarks", [None, "abc", [], [(1, 2)], np.full((68, 2), np.nan), np.zeros((5, 2))])
def test_a_crop_of_something_else_than_landmarks_is_refused(landmarks: object) -> None:
    with pytest.raises(InputError, match=r"68 landmarks \(68, 2\) in pixels, such as face\.landmarks"):
        Preprocess(size_px=32).crop(np.zeros((40, 40, 3), np.uint8), landmarks)


@pytest.mark.parametrize("image", [None, "photo.jpg", np.zeros((40, 40, 3)), np.zeros((0, 40, 3), np.uint8)])
def test_a_crop_of_something_else_than_an_image_is_refused(image: object) -> None:
    with pytest.raises(InputError, match=r"\(H, W, 3\) uint8 RGB"):
        Preprocess(size_px=32).crop(image, np.random.default_rng(0).uniform(0, 40, (68, 2)))


@pytest.mark.parametrize("middle", [(0, 0), (60, 10), (59, 79), (-90, 40), (300, -200)])
def test_outside_the_image_its_edge_goes_on(middle: tuple[float, float]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    wide = 600
    padded = np.pad(image, ((wide, wide), (wide, wide), (0, 0)), mode="edge")
    matrix = np.array([[1.0, 0.02, 0.0], [-0.02, 1.0, 0.0]])
    matrix[:, 2] = 16 - matrix[:, :2] @ middle
    inside = matrix.copy()
    inside[:, 2] -= matrix[:, :2] @ [wide, wide]
    difference = warp(image, matrix, 32).astype(int) - warp(padded, inside, 32)
    assert np.abs(difference).max() <= 1


POINTS = tuple((x, y) for x, y in (TEMPLATES["arcface"] * 0.7 + 0.1).tolist())


def test_faces_are_framed_as_a_set_frames_its_own(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    face = recognizer.predict(astronaut)[0]
    five = five_points(np.array(face.landmarks))
    inputs = Preprocess(size_px=80, template="image", points=POINTS)
    matrix = inputs.matrix(np.array(face.landmarks))
    np.testing.assert_allclose(matrix, similarity(five, np.array(POINTS) * 80))
    assert np.abs(transform(matrix, five) - np.array(POINTS) * 80).max() < 3
    assert inputs.crop(astronaut, np.array(face.landmarks)).shape == (80, 80, 3)


def test_a_set_whose_points_are_not_known_says_how_its_images_can_be_fed() -> None:
    with pytest.raises(WeightsError, match=r"inputs\.points.*mien evaluate --no-align"):
        Preprocess(size_px=80, template="image").matrix(np.zeros((68, 2)))


@pytest.mark.parametrize(
    "points", [5, "points", [[0.1, 0.2]] * 4, [[0.5, 0.5]] * 5, [[0.1, np.nan]] * 5, [[0.1, 0.2, 0.3]] * 5]
)
def test_points_that_cannot_be_are_refused(points: object) -> None:
    with pytest.raises(OptionError, match="points are five pairs"):
        Preprocess(size_px=80, template="image", points=points)


def test_points_belong_to_images_as_they_are_alone() -> None:
    with pytest.raises(OptionError, match="the template 'face' has its own"):
        Preprocess(size_px=80, points=POINTS)


def test_points_are_the_same_as_lists_and_arrays_and_left_out_where_there_are_none() -> None:
    one = Preprocess(size_px=80, template="image", points=POINTS)
    assert Preprocess(size_px=80, template="image", points=np.array(POINTS)) == one
    assert hash(one) == hash(Preprocess(**one.to_dict() | {"mean": one.mean, "std": one.std}))
    assert list(Preprocess(size_px=80).to_dict()) == ["size_px", "template", "mean", "std", "channels"]


@pytest.mark.parametrize(
    "box", [None, np.full(4, np.nan), np.array([10.4, 5.0, 50.2, 44.6]), np.array([-9.0, 2, 70, 90])]
)
def test_an_image_as_its_set_has_it_is_only_resized(box: np.ndarray | None) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 60, 3), dtype=np.uint8)
    square, matrix = image_square(image, box, 64)
    whole = box is None or np.isnan(box).any()
    left, top, right, bottom = (0, 0, 60, 48) if whole else (10, 5, 50, 45) if box[0] > 0 else (0, 2, 60, 48)
    part = Image.fromarray(image).crop((left, top, right, bottom))
    np.testing.assert_array_equal(square, np.asarray(part.resize((64, 64), Image.Resampling.BILINEAR)))
    corners = transform(matrix, np.array([[left, top], [right, bottom]], dtype=float))
    np.testing.assert_allclose(corners, [[0, 0], [64, 64]])


def test_of_an_image_as_its_set_has_it_all_is_the_face() -> None:
    assert aligned_side(100, "image") == 100
    assert aligned_side(192, "face") == 112


def test_a_set_that_stretches_its_images_stretches_the_faces_of_photos_alike() -> None:
    inputs = Preprocess(size_px=100, template="image", points=POINTS, aspect=0.8)
    matrix = inputs.matrix(np.random.default_rng(0).uniform(0, 50, (68, 2)))
    upright = matrix * [[0.8], [1.0]]  # a similarity, before it is stretched in width
    np.testing.assert_allclose([upright[0, 0], upright[0, 1]], [upright[1, 1], -upright[1, 0]])
    five = np.array(POINTS) * [80, 100]
    face = five[[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 4]]
    landmarks = np.zeros((68, 2))
    landmarks[[*range(36, 48), 30, 48, 54]] = face
    np.testing.assert_allclose(transform(inputs.matrix(landmarks), five), np.array(POINTS) * 100, atol=1e-9)
    assert inputs.to_dict()["aspect"] == 0.8


@pytest.mark.parametrize(
    "given", [{"aspect": 0.0, "template": "image"}, {"aspect": np.nan, "template": "image"}, {"aspect": 0.8}]
)
def test_an_aspect_that_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="aspect is"):
        Preprocess(size_px=8, **given)
