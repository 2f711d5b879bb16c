from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import (
    connected_components,
    near_duplicates,
    near_pairs,
    perceptual_hash,
    repeats_another_split,
)
from mien.datasets.audit.scan import labelled_region, scan
from tests.conftest import EXAMPLES
from tests.datasets.distributions import image
from tests.datasets.tables import table


def face(path: Path, name: str = "astronaut.jpg", *, size: int = 96, shift: int = 0, gain: float = 1.0) -> None:
    """A real photo's middle, cut, scaled and brightened as asked."""
    with Image.open(EXAMPLES / name) as photo:
        side = min(photo.size) // 2
        left, top = (photo.width - side) // 2 + shift, photo.height // 8 + shift
        image = photo.convert("RGB").crop((left, top, left + side, top + side)).resize((size, size))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.asarray(image) * gain).clip(0, 255).astype(np.uint8)).save(path, quality=60)


@given(st.integers(0, 10), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_pairs_are_exactly_those_within_the_distance(distance: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random((count, 16)) < 0.5
    far = (bits[:, None] != bits[None]).sum(axis=2)
    wanted = [(i, j) for i in range(count) for j in range(i + 1, count) if far[i, j] <= distance]
    assert [tuple(pair) for pair in near_pairs(bits, distance=distance).tolist()] == wanted


def test_pairs_of_many_hashes_are_those_of_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.random.default_rng(0).random((300, 12)) < 0.5
    whole = near_pairs(bits, distance=2)
    monkeypatch.setattr("mien.datasets.audit.duplicates._BLOCK", 7)
    monkeypatch.setattr("mien.datasets.audit.duplicates._WIDE", 64)
    np.testing.assert_array_equal(near_pairs(bits, distance=2), whole)


def test_rows_are_linked_through_others() -> None:
    pairs = np.array([[0, 3], [3, 5], [1, 2]])
    assert connected_components(pairs, 7).tolist() == [0, 1, 1, 0, -1, 0, -1]
    assert connected_components(np.empty((0, 2), dtype=int), 2).tolist() == [-1, -1]


def test_a_hash_has_as_many_ones_as_zeros_and_ignores_light() -> None:
    grey = np.random.default_rng(0).random((4, 32, 32)) * 100
    bits = perceptual_hash(grey)
    assert bits.shape == (4, 63)
    assert (bits.sum(axis=1) == 31).all()  # above the median of 63
    np.testing.assert_array_equal(perceptual_hash(grey * 2 + 10), bits)


def test_copies_of_a_photo_are_found_and_other_photos_are_not(tmp_path: Path) -> None:
    face(tmp_path / "a.png")
    face(tmp_path / "smaller.jpg", size=48)
    face(tmp_path / "brighter.jpg", gain=1.2)
    face(tmp_path / "shifted.png", shift=2)
    face(tmp_path / "other.png", "grace_hopper.jpg")
    names = ["a.png", "smaller.jpg", "brighter.jpg", "shifted.png", "other.png"]
    found = near_duplicates(scan(table(tmp_path, names)))
    assert found.groups.tolist() == [0, 0, 0, 0, -1]
    assert found.similarity.min() >= 0.8


@pytest.mark.parametrize("surroundings", [0, 255])
def test_faces_cut_out_along_one_outline_are_told_apart_by_what_they_show(
    tmp_path: Path, surroundings: int
) -> None:
    face(tmp_path / "a.png")
    face(tmp_path / "a_again.jpg", size=64)
    face(tmp_path / "b.png", "grace_hopper.jpg")
    names = ["a.png", "a_again.jpg", "b.png"]
    for name in names:
        pixels = np.asarray(Image.open(tmp_path / name).convert("RGB").resize((96, 96))).copy()
        y, x = np.mgrid[:96, :96]
        pixels[((x - 48) / 38) ** 2 + ((y - 48) / 44) ** 2 > 1] = surroundings
        Image.fromarray(pixels).save(tmp_path / name)
    assert near_duplicates(scan(table(tmp_path, names))).groups.tolist() == [0, 0, -1]


def test_a_copy_whose_dark_wall_is_a_little_brighter_is_found(tmp_path: Path) -> None:
    face(tmp_path / "a.png")
    names = ["black.png", "dark.png"]
    for name, level in zip(names, (4, 14), strict=True):
        pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).copy()
        pixels[:, :18] = level
        pixels[:8] = level
        Image.fromarray(pixels).save(tmp_path / name)
    assert near_duplicates(scan(table(tmp_path, names))).groups.tolist() == [0, 0]


def test_flat_and_unreadable_images_are_like_nothing(tmp_path: Path) -> None:
    for name in ("black.png", "dark.png"):
        Image.new("RGB", (40, 40), (3, 3, 3)).save(tmp_path / name)
    for name in ("broken.png", "gone.png"):
        (tmp_path / name).write_bytes(b"no image")
    names = ["black.png", "dark.png", "broken.png", "gone.png"]
    looked = scan(table(tmp_path, names))
    assert [(problem.kind, problem.where) for problem in looked.unreadable] == [
        ("unreadable", "broken.png"),
        ("unreadable", "gone.png"),
    ]
    assert looked.size.tolist() == [[40, 40], [40, 40], [0, 0], [0, 0]]
    assert len(near_duplicates(looked).pairs) == 0


def test_frames_of_one_video_are_not_compared(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        face(tmp_path / name)
    group = np.array(["a", "a", "b"], dtype=object)
    looked = scan(table(tmp_path, ["1.png", "2.png", "3.png"]))
    assert near_duplicates(looked, apart=group).pairs.tolist() == [[0, 2], [1, 2]]


def test_only_the_inside_of_a_box_is_seen(tmp_path: Path) -> None:
    image(tmp_path / "scene.png", side=60)
    boxes = np.array([[10.2, 20, 30, 50], [np.nan] * 4, [80, 80, 90, 90], [-5, -5, 20, 70]])
    samples = table(tmp_path, ["scene.png"] * 4, box=boxes)
    assert [labelled_region(samples, row).shape[:2] for row in range(4)] == [(30, 20), (60, 60), (60, 60), (60, 20)]


def test_several_processes_see_the_same_as_one(tmp_path: Path) -> None:
    names = []
    for seed in range(5):
        image(tmp_path / f"{seed}.png", seed=seed)
        names.append(f"{seed}.png")
    (tmp_path / "0.png").write_bytes(b"")
    samples = table(tmp_path, names * 60)  # three chunks
    counted: list[tuple[int, int | None]] = []
    one = scan(samples)
    two = scan(samples, workers=2, progress=lambda done, total: counted.append((done, total)))
    np.testing.assert_array_equal(one.grey, two.grey)
    assert one.unreadable == two.unreadable
    assert counted == [(128, 300), (256, 300), (300, 300)]


def test_an_empty_table_has_no_duplicates(tmp_path: Path) -> None:
    assert near_duplicates(scan(table(tmp_path, []))).groups.tolist() == []


def test_a_copy_keeps_its_hash_through_jpeg(astronaut: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(astronaut).save(file, "JPEG", quality=30)
    greys = [
        np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX))
        for image in (Image.fromarray(astronaut), Image.open(file))
    ]
    first, second = perceptual_hash(np.stack(greys))
    assert (first != second).sum() <= 4


def test_rows_that_stand_in_two_splits_are_found(tmp_path: Path) -> None:
    face(tmp_path / "train/fear/a.png")
    face(tmp_path / "train/anger/b.png", "grace_hopper.jpg")
    face(tmp_path / "test/fear/c.png", size=80, gain=0.9)
    samples = dataset_info("folder").samples(tmp_path)
    crossing = repeats_another_split(samples)
    assert sorted(samples.path[crossing]) == ["test/fear/c.png", "train/fear/a.png"]
