from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mien.faces.centerface import CenterFaceDetector, decode, default_file
from mien.geometry import Box, iou


@pytest.fixture(scope="module")
def detector() -> CenterFaceDetector:
    return CenterFaceDetector(default_file(), threads=1)


def as_array(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom])


def test_the_astronaut_has_one_face(detector: CenterFaceDetector, astronaut: np.ndarray) -> None:
    (face,) = detector.detect(astronaut)
    assert face.score > 0.85
    np.testing.assert_allclose(as_array(face.box), [182, 58, 270, 178], atol=4)
    golden = [[203, 102], [247, 105], [223, 125], [203, 142], [241, 144]]
    np.testing.assert_allclose(face.points, golden, atol=4)


def test_an_image_without_a_face_gives_an_empty_list(detector: CenterFaceDetector) -> None:
    y, x = np.mgrid[0:300, 0:400]
    landscape = np.stack([y / 2, x / 2, 255 - y / 2], axis=-1).astype(np.uint8)
    assert detector.detect(landscape) == []


@pytest.mark.parametrize("size", [(17, 16), (640, 16), (33, 999), (1, 1)])
def test_any_size_is_accepted(detector: CenterFaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


@pytest.mark.parametrize("scale", [0.35, 1.0, 2.5])
def test_boxes_scale_with_the_image(detector: CenterFaceDetector, astronaut: np.ndarray, scale: float) -> None:
    side = round(512 * scale)
    scaled = np.asarray(Image.fromarray(astronaut).resize((side, side), Image.Resampling.LANCZOS))
    (face,) = detector.detect(scaled)
    expected = as_array(detector.detect(astronaut)[0].box) * scale
    assert iou(expected, as_array(face.box)[None])[0] > 0.8


def test_a_tight_crop_is_detected_by_the_padded_retry(detector: CenterFaceDetector, astronaut: np.ndarray) -> None:
    crop = astronaut[70:175, 185:265]
    (face,) = detector.detect(crop)
    assert face.box.area > 0.5 * crop.shape[0] * crop.shape[1]


def test_sixteen_pixel_faces_in_a_large_image_are_detected_with_tiles(astronaut: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(astronaut).resize((94, 94), Image.Resampling.LANCZOS))  # face 16 px wide
    image = np.full((1080, 1920, 3), 128, np.uint8)
    corners = [(40, 30), (1000, 500), (1780, 900), (620, 300)]  # one across a border of tiles
    for x, y in corners:
        image[y : y + 94, x : x + 94] = small
    detections = CenterFaceDetector(default_file(), threads=1, tiles=True).detect(image)
    centres = np.array([face.box.centre for face in detections])
    for x, y in corners:
        wanted = np.array([x + 226 * 94 / 512, y + 118 * 94 / 512])
        assert np.abs(centres - wanted).max(axis=1).min() < 6
    assert len(detections) == len(corners)


def test_a_large_face_is_detected_once_with_tiles(astronaut: np.ndarray) -> None:
    large = np.asarray(Image.fromarray(astronaut).resize((2600, 2600)))
    assert len(CenterFaceDetector(default_file(), threads=1, tiles=True).detect(large)) == 1


def test_the_threshold_is_kept(astronaut: np.ndarray) -> None:
    assert CenterFaceDetector(default_file(), threads=1, threshold=0.99).detect(astronaut) == []


def test_decoding_by_hand() -> None:
    heat = np.zeros((4, 6))
    heat[2, 3] = 0.8
    size = np.full((2, 4, 6), np.log([[[5.0]], [[2.0]]]))  # 5 cells high, 2 wide
    offset = np.zeros((2, 4, 6))
    offset[0] = 0.25  # y
    points = np.zeros((10, 4, 6))
    points[0], points[1] = 0.5, 0.25  # first point: half down, a quarter across
    boxes, scores, placed = decode(heat, size, offset, points, threshold=0.5)
    # centre y (2 + 0.25 + 0.5) * 4 = 11, x (3 + 0.5) * 4 = 14; 20 high, 8 wide
    np.testing.assert_allclose(boxes, [[10, 1, 18, 21]])
    assert scores.tolist() == [0.8]
    np.testing.assert_allclose(placed[0, 0], [10 + 0.25 * 8, 1 + 0.5 * 20])
