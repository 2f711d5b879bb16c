from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from mien.faces import Detection
from mien.faces.passes import GLIMPSE_PX, MultiPassDetector
from mien.faces.tiling import inside, tile_scales, tiles
from mien.pipeline.detectors import detector_called


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (641, 2000)])
def test_tiles_cover_the_image_and_overlap(size: tuple[int, int]) -> None:
    seen = np.zeros((size[1], size[0]), int)
    for tile in tiles(*size, 640):
        box = tile.box
        assert box.width <= 640
        seen[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] += 1
    assert seen.min() >= 1


@pytest.mark.parametrize("length", [10, 640, 641, 1000, 1121, 4000, 16_000])
def test_each_point_is_owned_and_a_face_up_to_the_overlap_lies_in_the_tile_that_owns_it(length: int) -> None:
    row = tiles(length, 100, 640)
    for centre in np.linspace(0, length - 1, 997):
        owners = [tile for tile in row if inside(tile.core, np.array([[centre, 50.0]]))[0]]
        assert 1 <= len(owners) <= 2
        for tile in owners:
            assert tile.box.left <= max(centre - 76, 0)
            assert tile.box.right >= min(centre + 76, length)
    assert len(row) == 1 or max(tile.box.width for tile in row) <= 640


@pytest.mark.parametrize("longer", [641, 1920, 4000, 16_000])
def test_no_size_falls_between_the_scales(longer: int) -> None:
    """A network sees faces from 10 pixels up; a tile only those up to a quarter of its side."""
    ranges = [(10 / scale, 160 / scale) for scale in tile_scales(longer, 100, 640)]
    ranges.append((10 * longer / 640, float(longer)))
    assert ranges[0][0] == 10
    for (_, end), (start, _) in pairwise(ranges):
        assert start < end


HEAD = (122, 12, 332, 222)  # of the astronaut, whose face is 120 pixels high


def crowd(size: tuple[int, int], places: list[tuple[int, int, int]], head: Image.Image) -> np.ndarray:
    """An image of this size with the head at (x, y) with a side of so many pixels."""
    image = Image.new("RGB", size, (120, 130, 120))
    for x, y, side in places:
        image.paste(head.resize((side, side), Image.Resampling.LANCZOS), (x, y))
    return np.asarray(image)


def assert_each_once(detections: list[Detection], places: list[tuple[int, int, int]]) -> None:
    centres = np.array([face.box.centre for face in detections])
    for x, y, side in places:
        assert (np.abs(centres - [x + side / 2, y + side / 2]).max(axis=1) < side / 3).sum() == 1, (x, y, side)
    assert len(detections) == len(places)


def test_a_crowd_is_searched_in_tiles_without_being_asked(astronaut: np.ndarray) -> None:
    head = Image.fromarray(astronaut).crop(HEAD)
    places = [(50 + 230 * column, 40 + 200 * row, 60 + 4 * column) for column in range(10) for row in range(7)]
    image = crowd((2400, 1500), places, head)
    assert_each_once(detector_called(threads=1).detect(image), places)
    copy = detector_called(threads=1, tiles=False).detect(image)
    assert len(copy) < len(places) / 2


@pytest.mark.parametrize("size", [(3600, 500), (500, 3600)])
def test_faces_at_the_borders_of_tiles_are_detected_once(size: tuple[int, int], astronaut: np.ndarray) -> None:
    head = Image.fromarray(astronaut).crop(HEAD)
    places, start = [], 10
    for i, side in enumerate(range(56, 210, 7)):
        across = 40 + 37 * i % 200
        places.append((start, across, side) if size[0] > size[1] else (across, start, side))
        start += side + 17
    image = crowd(size, places, head)
    assert_each_once(detector_called(threads=1, tiles=True).detect(image), places)


def inputs_of(detector: MultiPassDetector, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes (H, W) that its network will see."""
    sizes, infer = [], detector.infer
    monkeypatch.setattr(detector, "infer", lambda x, **options: sizes.append(x.shape[2:]) or infer(x, **options))
    return sizes


def test_a_photo_with_large_faces_only_is_not_searched_in_tiles(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = detector_called(threads=1)
    sizes = inputs_of(detector, monkeypatch)
    for side, coarse in ((1200, None), (1900, None), (3000, 1024)):
        sizes.clear()
        photo = np.asarray(Image.fromarray(astronaut).resize((side, side), Image.Resampling.BICUBIC))
        assert len(detector.detect(photo)) == 1
        passes = [(640, 640)] if coarse is None else [(640, 640), (coarse, coarse)]
        assert [size for size in sizes if max(size) > 3 * GLIMPSE_PX] == passes
        assert len(sizes) - len(passes) <= 1 + side**2 // 6_000_000


@pytest.mark.parametrize("size", [(1000, 800), (2000, 1400), (3300, 1500)])
def test_a_few_small_faces_beside_large_ones_are_detected(size: tuple[int, int], astronaut: np.ndarray) -> None:
    """Three of 34 to 40 pixels and two large ones, as if every part had been searched."""
    head, (width, height) = Image.fromarray(astronaut).crop(HEAD), size
    large = [(30, 60, 500), (int(0.55 * width), height - 460, 400)]
    small = [(int(0.6 * width), 40, 60), (width - 90, 220, 70), (40, height - 120, 64)]
    image = crowd(size, [*large, *small], head)
    assert_each_once(detector_called(threads=1).detect(image), [*large, *small])
    assert len(detector_called(threads=1, tiles=False).detect(image)) < 5 or size[0] == 1000


BOUNDARIES = (  # longer side of the image, longer side of the face
    (639, 30), (641, 30), (1279, 30), (1281, 40), (1920, 40), (1922, 54), (2561, 160), (4040, 150), (4040, 480),
    (6000, 56), (10_239, 160), (10_241, 170), (10_241, 640), (16_000, 250), (16_000, 480), (31_000, 500),
)  # fmt: skip


@pytest.mark.parametrize(("longer", "face_px"), BOUNDARIES)
def test_a_face_between_two_passes_is_detected_once(longer: int, face_px: int, astronaut: np.ndarray) -> None:
    """Sizes at which one pass ends and another begins, beside a face that the copy shows."""
    head, side = Image.fromarray(astronaut).crop(HEAD), round(face_px * 210 / 120)
    seen = max(100, round(longer / 640 * 40))
    height = max(side, seen) + 60
    places = [(20, 20, seen), (longer // 2 + side, 30, side)]
    image = crowd((longer, height), places, head)
    assert_each_once(detector_called(threads=1).detect(image), places)
