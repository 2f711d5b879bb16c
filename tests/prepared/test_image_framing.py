"""Data sets prepared as they are: template "image"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.cli.app import run
from mien.datasets import dataset_info
from mien.errors import DataError, OptionError
from mien.evaluation.predict import unaligned
from mien.geometry import Box, five_points
from mien.prepared.concat import ConcatStore
from mien.prepared.face_canvas import CanvasMaker, CanvasSettings
from mien.prepared.image_framing import framing_of, stated_framing
from mien.prepared.store import PreparedStore
from mien.preprocess import IMAGE, Preprocess
from tests.prepared.cut_faces import SIDE, faces
from tests.prepared.fabricated import samples_in, store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faces(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedStore:
    out = tmp_path_factory.mktemp("prepared") / "faces"
    report = mien.prepare("folder", folder, out, template="image", canvas_px=SIDE)
    assert not report.notes
    return PreparedStore(out)


def test_the_stored_image_is_the_sets_own(folder: Path, prepared: PreparedStore) -> None:
    assert prepared.canvas_px == prepared.aligned_px == SIDE
    samples = dataset_info("folder").samples(folder)
    for row, image in enumerate(prepared.images(range(8))):
        np.testing.assert_array_equal(image, samples.image(row))
    assert prepared.detected.all()


def test_landmarks_lie_where_prediction_sees_them(folder: Path, prepared: PreparedStore) -> None:
    samples = dataset_info("folder").samples(folder)
    for row, points in enumerate(prepared.landmarks):
        (face,) = mien.predict(samples.image(row))
        apart = np.linalg.norm(points - np.array(face.landmarks), axis=1).mean()
        assert apart < 0.05 * SIDE


def test_the_framing_of_a_set_is_the_median_of_its_faces(prepared: PreparedStore) -> None:
    framing = framing_of(prepared)
    assert framing is not None
    np.testing.assert_allclose(
        framing.points, np.median(five_points(prepared.landmarks.astype(float)), axis=0) / SIDE, atol=1e-4
    )
    assert (framing.faces, framing.images, framing.is_one) == (8, 8, True)
    assert stated_framing(prepared.folder) == framing


@pytest.mark.parametrize("stated", [None, Box(30.4, 20.0, 130.0, 148.6)])
def test_a_canvas_is_what_evaluation_without_alignment_feeds(
    recognizer: mien.Recognizer, astronaut: np.ndarray, stated: Box | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, fed = recognizer.network.manifest.inputs.size_px, []
    monkeypatch.setattr(type(recognizer), "with_expressions", lambda self, seen: fed.extend(seen) or [seen[0].face])
    box = None if stated is None else np.array([stated.left, stated.top, stated.right, stated.bottom])
    unaligned(recognizer, astronaut, box)
    canvas = (
        CanvasMaker(CanvasSettings(detect=False, template=IMAGE, canvas_px=side)).make(astronaut, stated).canvas
    )
    np.testing.assert_array_equal(canvas, fed[0].crop)


def test_points_that_the_set_states_move_with_the_image() -> None:
    image, points = np.zeros((200, 100, 3), np.uint8), np.random.default_rng(0).uniform(20, 90, (68, 2))
    face = CanvasMaker(CanvasSettings(detect=False, template=IMAGE, canvas_px=50)).make(image, None, points)
    np.testing.assert_allclose(face.landmarks, points * [0.5, 0.25], atol=1e-4)


@pytest.mark.parametrize(
    ("width", "height", "note"),
    [
        (84, 84, "the images are 84 x 84 pixels: --size 84 stores them without resizing"),
        (72, 90, "the images are 72 x 90 pixels: they are stretched to squares, later faces in photos alike"),
    ],
)
def test_the_size_that_needs_no_resizing_is_named(tmp_path: Path, width: int, height: int, note: str) -> None:
    report = mien.prepare("folder", faces(tmp_path / "set", width=width, height=height), tmp_path / "out",
                          template="image")  # fmt: skip
    assert report.notes == (note,)


def test_photos_are_no_faces_as_they_are(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "data",
        "prepare",
        "folder",
        str(folder),
        "--template",
        "image",
        "--detect",
        "--out",
        str(tmp_path / "o"),
    ]
    assert run(words) == 2
    assert "faces must be found in them, and the set states no box" in capsys.readouterr().err


def test_a_set_states_its_faces_where_every_image_has_a_box(tmp_path: Path) -> None:
    samples = samples_in(tmp_path / "images", count=3)
    assert samples.all_boxed
    box = samples.box.copy()
    box[1] = np.nan
    assert not replace(samples, box=box).all_boxed


def test_aligned_faces_have_no_framing_of_their_set(tmp_path: Path) -> None:
    store(tmp_path / "out", samples_in(tmp_path / "images", count=9))
    with pytest.raises(DataError, match="template 'face', which aligns faces.*--template image"):
        stated_framing(tmp_path / "out")


def test_without_a_detected_face_the_framing_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path / "out", samples_in(tmp_path / "images", count=9), template=IMAGE)
    monkeypatch.setattr(PreparedStore, "detected", property(lambda self: np.zeros(len(self), dtype=bool)))
    assert framing_of(PreparedStore(tmp_path / "out")) is None
    with pytest.raises(DataError, match="no face was detected in any image"):
        stated_framing(tmp_path / "out")


def test_aligned_faces_and_images_as_they_are_do_not_mix(tmp_path: Path) -> None:
    for name, template in (("a", "face"), ("b", IMAGE)):
        store(tmp_path / name, samples_in(tmp_path / "images", count=9), template=template)
    with pytest.raises(
        DataError, match="b was prepared with template image, .*a with face: prepare one of them again"
    ):
        ConcatStore(PreparedStore(tmp_path / "a"), [PreparedStore(tmp_path / "b")])


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="Did you mean 'image'"):
        CanvasSettings(detect=False, template="imge")


def test_a_face_of_a_stretched_set_is_stretched_alike(tmp_path: Path) -> None:
    mien.prepare("folder", faces(tmp_path / "set", width=72, height=96), tmp_path / "out", template="image")
    framing = stated_framing(tmp_path / "out")
    assert framing.aspect == 0.75
    store, samples = PreparedStore(tmp_path / "out"), dataset_info("folder").samples(tmp_path / "set")
    for row, (canvas, points) in enumerate(zip(store.images(range(8)), store.landmarks, strict=True)):
        own = five_points(points.astype(float)) / 192  # of this image alone: then it is framed as it is
        inputs = Preprocess(size_px=96, template=IMAGE, points=own, aspect=framing.aspect)
        crop = inputs.crop(samples.image(row), points * [72 / 192, 96 / 192]).astype(float)
        theirs = np.asarray(Image.fromarray(canvas).resize((96, 96), Image.Resampling.BILINEAR))
        assert np.abs(crop - theirs)[4:-4, 4:-4].mean() < 5  # resampled once, not twice
