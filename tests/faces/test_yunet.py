from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnknownNameError, WeightsError
from mien.faces.yunet import YuNetDetector, decode, grid
from mien.geometry import Box, iou
from mien.pipeline.detectors import detector_called
from mien.weights.manifest import SHIPPED, load_manifest


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector(load_manifest("yunet-slim").file(".onnx"), threads=1)


def as_array(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom])


def test_the_astronaut_and_the_admiral_have_one_face_each(
    detector: YuNetDetector, astronaut: np.ndarray, hopper: np.ndarray
) -> None:
    (face,) = detector.detect(astronaut)
    assert iou(np.array([182, 58, 270, 178]), as_array(face.box)[None])[0] > 0.7
    np.testing.assert_allclose(face.points, [[203, 102], [247, 105], [223, 125], [203, 142], [241, 144]], atol=6)
    (face,) = detector.detect(hopper)
    assert face.score > 0.5


def test_a_texture_has_no_face(detector: YuNetDetector) -> None:
    y, x = np.mgrid[0:300, 0:400]
    landscape = np.stack([y / 2, x / 2, 255 - y / 2], axis=-1).astype(np.uint8)
    assert detector.detect(landscape) == []
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    assert detector.detect(np.asarray(Image.fromarray(noise).resize((400, 300)))) == []


@pytest.mark.parametrize("size", [(17, 16), (640, 16), (33, 999), (1, 1)])
def test_any_size_is_accepted(detector: YuNetDetector, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


@pytest.mark.parametrize("scale", [0.35, 2.5])
def test_boxes_scale_with_the_image(detector: YuNetDetector, astronaut: np.ndarray, scale: float) -> None:
    side = round(512 * scale)
    scaled = np.asarray(Image.fromarray(astronaut).resize((side, side), Image.Resampling.LANCZOS))
    (face,) = detector.detect(scaled)
    assert iou(as_array(detector.detect(astronaut)[0].box) * scale, as_array(face.box)[None])[0] > 0.75


def test_small_faces_in_a_large_image_are_detected_with_tiles(astronaut: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(astronaut).resize((140, 140), Image.Resampling.LANCZOS))  # face 24 px wide
    image = np.full((1080, 1920, 3), 128, np.uint8)
    corners = [(40, 30), (1000, 500), (1740, 860), (620, 300)]
    for x, y in corners:
        image[y : y + 140, x : x + 140] = small
    detections = detector_called("yunet-slim", tiles=True, threads=1).detect(image)
    centres = np.array([face.box.centre for face in detections])
    for x, y in corners:
        assert np.abs(centres - np.array([x + 226 * 140 / 512, y + 118 * 140 / 512])).max(axis=1).min() < 8
    assert len(detections) == len(corners)


def test_where_nothing_is_detected_the_fallback_weights_run(detector: YuNetDetector, astronaut: np.ndarray) -> None:
    dark = (astronaut * 2**-6.0).astype(np.uint8)
    assert detector.detect(dark) == []
    (face,) = detector_called("yunet-slim", threads=1).detect(dark)
    assert iou(np.array([182, 58, 270, 178]), as_array(face.box)[None])[0] > 0.6


def test_decoding_by_hand() -> None:
    outputs = np.zeros((16, 64 * 32 // 64 + 8 + 2), np.float32)  # an image 64 wide and 32 high
    outputs[:2] = -20
    cell = 1 * 8 + 3  # stride 8: second row, fourth column
    outputs[:, cell] = [np.log(4), np.log(4), 0.5, 0.25, np.log(2), np.log(3), *([1.0, -1.0] * 5)]
    boxes, scores, points = decode(outputs, 32, 64, threshold=0.5)
    # centre (3.5 * 8, 1.25 * 8) = (28, 10); 16 wide, 24 high; both probabilities 0.8
    np.testing.assert_allclose(boxes, [[20, -2, 36, 22]], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.8], rtol=1e-6)
    np.testing.assert_allclose(points[0, 0], [32, 0])


def test_the_grid_lists_every_cell_row_by_row() -> None:
    corners, strides = grid(32, 64)
    assert corners[:9].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [7, 0], [0, 1]]
    assert np.bincount(strides)[[8, 16, 32]].tolist() == [32, 8, 2]


def test_an_unknown_detector_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'centerface'"):
        detector_called("centreface")


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    import shutil

    copied = tmp_path / "yunet-slim"
    shutil.copytree(SHIPPED / "yunet-slim", copied)
    with (copied / "yunet-slim.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match=r"yunet-slim\.onnx is damaged"):
        load_manifest(str(copied)).file(".onnx")
