from __future__ import annotations

import numpy as np
import pytest

from mien.errors import OptionError
from mien.faces import Detection
from mien.faces.pose import head_pose
from mien.geometry import Box, five_points
from mien.pipeline.loading import default_landmarker
from mien.prepared.face_canvas import CanvasMaker, CanvasSettings
from mien.preprocess import TEMPLATES

PHOTO = CanvasSettings(detect=True)


class Finds:
    """A detector that has already been told what it sees."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [Detection(box, 0.9) for box in self.boxes]


@pytest.fixture(scope="module")
def landmarker() -> object:
    return default_landmarker(threads=1)


def test_the_middle_of_a_canvas_is_the_crop_of_prediction(astronaut: np.ndarray) -> None:
    face = CanvasMaker(PHOTO).make(astronaut)
    assert face.canvas.shape == (192, 192, 3)
    assert face.detection > 0.5
    template = TEMPLATES["face"] * 112 + 40
    assert np.abs(five_points(face.landmarks) - template).max() < 8  # nobody's face is the template's
    assert abs(face.pose[0] - head_pose(face.landmarks.astype(float)).yaw_deg) < 1e-3


def test_a_grey_image_keeps_one_channel(hopper: np.ndarray) -> None:
    grey = np.repeat(hopper.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert CanvasMaker(PHOTO).make(grey).canvas.shape == (192, 192, 1)


def test_the_face_in_the_stated_box_is_taken_not_the_largest(astronaut: np.ndarray, landmarker: object) -> None:
    large, stated = Box(0, 0, 400, 400), Box(180, 60, 280, 190)
    maker = CanvasMaker(PHOTO, detector=Finds(large, Box(185, 65, 285, 195)), landmarker=landmarker)
    inside = maker.make(astronaut, stated)
    alone = CanvasMaker(PHOTO, detector=Finds(Box(185, 65, 285, 195)), landmarker=landmarker).make(astronaut)
    assert np.array_equal(inside.canvas, alone.canvas)


def test_where_nothing_fits_the_stated_box_is_the_face(astronaut: np.ndarray, landmarker: object) -> None:
    stated = Box(180, 60, 280, 190)
    lost = CanvasMaker(PHOTO, detector=Finds(Box(0, 300, 80, 400)), landmarker=landmarker).make(astronaut, stated)
    assert np.isnan(lost.detection)
    assert lost.rejected == "a face was detected, but not in the set's own box"
    sure = CanvasMaker(PHOTO, detector=Finds(stated), landmarker=landmarker).make(astronaut)
    assert np.array_equal(lost.canvas, sure.canvas)


def test_a_small_find_in_the_corner_of_a_crop_is_not_its_face(astronaut: np.ndarray, landmarker: object) -> None:
    crop = astronaut[40:240, 140:340]
    settings = CanvasSettings(detect=False)
    corner = CanvasMaker(settings, detector=Finds(Box(0, 0, 30, 30)), landmarker=landmarker).make(crop)
    nothing = CanvasMaker(settings, detector=Finds(), landmarker=landmarker).make(crop)
    assert np.isnan(corner.detection)
    assert np.array_equal(corner.canvas, nothing.canvas)
    assert corner.rejected == "a face was detected, but too small for a crop: 30 px in 200 x 200"
    assert nothing.rejected == ""
    aside = CanvasMaker(settings, detector=Finds(Box(0, 0, 90, 80)), landmarker=landmarker).make(crop)
    assert aside.rejected == "a face was detected, but not over the middle of the crop"


def test_of_several_faces_the_large_central_one_is_taken(astronaut: np.ndarray, landmarker: object) -> None:
    central, edge = Box(180, 60, 280, 190), Box(0, 0, 110, 130)
    both = CanvasMaker(PHOTO, detector=Finds(edge, central), landmarker=landmarker).make(astronaut)
    one = CanvasMaker(PHOTO, detector=Finds(central), landmarker=landmarker).make(astronaut)
    assert np.array_equal(both.canvas, one.canvas)


@pytest.mark.parametrize("size", [47, 193, 2000])
def test_sizes_that_make_no_canvas_are_refused(size: int) -> None:
    with pytest.raises(OptionError, match="even number from 48 to 1024"):
        CanvasSettings(detect=False, canvas_px=size)


@pytest.mark.parametrize(("canvas", "aligned"), [(192, 112), (96, 56), (384, 224), (100, 58)])
def test_the_aligned_part_is_seven_twelfths(canvas: int, aligned: int) -> None:
    assert CanvasSettings(detect=False, canvas_px=canvas).aligned_px == aligned


def test_points_that_the_set_states_are_taken_as_they_are() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    points = np.random.default_rng(0).uniform(50, 150, (68, 2))
    face = CanvasMaker(CanvasSettings(detect=False, template="box")).make(image, None, points)
    size = np.ptp(face.landmarks, axis=0)
    np.testing.assert_allclose(
        size / np.ptp(points, axis=0), size[0] / np.ptp(points[:, 0]), rtol=1e-5
    )  # not turned
    assert face.landmarks.min() > 0
    assert face.landmarks.max() < 192
