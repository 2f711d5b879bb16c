from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.cli.app import run
from mien.explanation import explain as module
from mien.explanation.faithfulness import centre_prior, faithfulness, masks_of
from mien.explanation.maps import METHODS, check_methods, mean_of, resized
from mien.explanation.measured import identity_of, measured_map
from mien.explanation.occlusion import GRID, hidden, mixed, occlusion_map
from mien.explanation.overlay import face_overlay, overlay
from mien.media.file_state import sha256
from mien.weights.manifest import SHIPPED, load_manifest
from tests.conftest import EXAMPLES

FACE = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
CELL = 96 // GRID
FIRST = {"apvit": "all poolings", "phanet": "all scales, by weight"}  # of the attention
PHOTO = str(EXAMPLES / "astronaut.jpg")


def sharpness_of_one_cell(row: int, column: int):
    """A "network" that uses one cell alone."""
    cell = np.s_[:, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    return lambda faces: (faces[cell].std(axis=(1, 2, 3)) > 30).astype(float)


def test_the_map_is_highest_where_the_network_looks() -> None:
    cells = occlusion_map(sharpness_of_one_cell(3, 8), FACE)
    assert np.unravel_index(cells.argmax(), cells.shape) == (3, 8)
    assert cells.max() == pytest.approx(1.0)
    assert cells[9, 1] == 0


def test_a_faithful_map_has_a_low_deletion_and_a_high_insertion() -> None:
    network = sharpness_of_one_cell(3, 8)
    cells = occlusion_map(network, FACE)
    good, bad, centre = faithfulness(network, FACE, [cells, -cells, centre_prior()])
    assert good.deletion < 0.1 < 0.9 < bad.deletion
    assert bad.insertion < 0.1 < 0.9 < good.insertion
    assert good.insertion > centre.insertion
    assert good.deletion_curve[0] == good.insertion_curve[-1] == 1
    assert good.deletion_curve[-1] == good.insertion_curve[0] == 0
    assert len(good.deletion_curve) == len(good.insertion_curve) == 9


def test_curves_together_are_those_of_each_map_alone() -> None:
    maps = [centre_prior(), np.random.default_rng(1).random((GRID, GRID))]
    network = sharpness_of_one_cell(2, 4)
    assert faithfulness(network, FACE, maps) == [faithfulness(network, FACE, [one])[0] for one in maps]


def test_cells_of_equal_value_come_by_chance() -> None:
    first = masks_of(np.zeros((GRID, GRID)), 8)[1]
    assert first.sum() == GRID * GRID // 8
    assert first[:6].any()
    assert first[6:].any()


def test_cells_are_hidden_exactly() -> None:
    mask = np.zeros((GRID, GRID), dtype=bool)
    mask[0, 1] = True
    changed = (mixed(FACE, hidden(FACE), mask) != FACE).any(axis=-1)
    assert changed[:CELL, CELL : 2 * CELL].mean() > 0.9
    changed[:CELL, CELL : 2 * CELL] = False
    assert not changed.any()


def test_maps_of_several_scales_meet_at_the_finest() -> None:
    coarse, fine = np.eye(2), np.zeros((4, 4))
    assert mean_of([fine, coarse]).shape == (4, 4)
    np.testing.assert_allclose(mean_of([fine, np.ones((2, 2))], [3, 1]), 0.25)
    np.testing.assert_allclose(resized(np.kron(coarse, np.ones((3, 3))), 2), coarse)


def test_methods_are_named() -> None:
    assert check_methods("attention, occlusion,attention") == ("attention", "occlusion")
    assert check_methods("all") == tuple(METHODS)
    with pytest.raises(mien.UnknownNameError, match="occlusion"):
        check_methods(["oclusion"])
    with pytest.raises(mien.OptionError, match="no method"):
        check_methods([])


@pytest.mark.parametrize("turns", [0, 1])
def test_a_smile_is_explained_by_the_mouth(recognizer: mien.Recognizer, astronaut: np.ndarray, turns: int) -> None:
    image = np.ascontiguousarray(np.rot90(astronaut, turns))
    (one,) = mien.explain(image, recognizer=recognizer)
    assert one.label == "happiness"
    height, width = image.shape[:2]
    drawn = overlay(image, [one])
    assert drawn.shape[1] == width
    assert drawn.shape[0] > height  # the scale is below
    colour = drawn[:height].astype(int)
    strongest = np.unravel_index((colour[..., 0] - colour[..., 2]).argmax(), (height, width))
    mouth = np.mean(one.face.landmarks[48:], axis=0)
    eyes = np.mean(one.face.landmarks[36:48], axis=0)
    there = np.array(strongest[::-1])
    assert np.linalg.norm(there - mouth) < np.linalg.norm(there - eyes)
    areas = one["occlusion"].faithfulness
    assert areas is not None
    assert areas.deletion < areas.insertion
    with pytest.raises(ValueError, match="read-only"):
        one["occlusion"].values[0] = 0
    with pytest.raises(FrozenInstanceError):
        one.label = "anger"  # type: ignore[misc]
    with pytest.raises(mien.UnknownNameError, match="attention"):
        one["attention"]


def test_an_overlay_leaves_what_is_no_face_in_grey(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    (one,) = mien.explain(astronaut, recognizer=recognizer, curves=False)
    assert one.centre_prior is None
    assert one["occlusion"].faithfulness is None
    drawn = overlay(astronaut, [one])
    assert np.ptp(drawn[400:500, :200].astype(int), axis=-1).max() == 0
    assert np.ptp(drawn[:200, 150:310].astype(int), axis=-1).max() > 60
    assert face_overlay(astronaut, one).shape[1] >= 480
    with pytest.raises(mien.OptionError, match="no face"):
        overlay(astronaut, [])


def test_a_narrow_image_is_enlarged(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    small = astronaut[20:210:3, 140:320:3]
    (one,) = mien.explain(small, recognizer=recognizer, detect=False, curves=False)
    assert overlay(small, [one]).shape[1] == 320
    assert overlay(small[:5, :5], [one]).shape[1] == 320


@pytest.mark.parametrize("weights", ["default", "poster_v2", "poster", "apvit", "phanet"])
def test_the_weights_of_the_package_are_measured(weights: str) -> None:
    identity = identity_of(load_manifest(weights))
    occlusion = measured_map(identity, "occlusion")
    assert occlusion is not None
    assert occlusion.is_better
    assert occlusion.faces >= 20
    attention = measured_map(identity, f"attention/{FIRST.get(weights, 'all levels')}")
    if weights == "default":  # the bare backbone has none
        assert attention is None
    else:
        assert attention is not None
        assert attention.in_short in ("no better", "worse")
    assert measured_map("another", "occlusion") is None


def test_an_explanation_is_frozen_and_can_be_pickled(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    (one,) = mien.explain(astronaut, recognizer=recognizer, curves=False)
    with pytest.raises(FrozenInstanceError):
        one.label = "fear"  # type: ignore[misc]
    for values in (one.crop, one.matrix, one.maps[0].values):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
    copy = pickle.loads(pickle.dumps(one))
    assert (copy.label, copy.probability, copy.face.box) == (one.label, one.probability, one.face.box)
    assert np.array_equal(copy["occlusion"].values, one["occlusion"].values)


def test_the_same_faces_by_their_boxes(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    faces = recognizer.predict(astronaut)
    (one,) = mien.explain(astronaut, recognizer=recognizer, boxes=[face.box for face in faces], curves=False)
    assert one.probability == pytest.approx(faces[0].expression["happiness"], abs=1e-6)
    np.testing.assert_allclose(one.face.landmarks, faces[0].landmarks, atol=1e-3)


@pytest.mark.parametrize(
    ("box", "problem"),
    [(mien.Box(9, 9, 9, 9), "which has no area"), (mien.Box(2000, 2000, 2100, 2100), "most of it outside")],
    ids=["no area", "outside"],
)
def test_boxes_that_hold_no_face_are_refused_as_by_predict(
    recognizer: mien.Recognizer, astronaut: np.ndarray, box: mien.Box, problem: str
) -> None:
    for call in (recognizer.predict, partial(mien.explain, recognizer=recognizer)):
        with pytest.raises(mien.OptionError, match=problem):
            call(astronaut, boxes=[box])


def test_the_command_writes_image_and_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, arrays = tmp_path / "explained.png", tmp_path / "maps.npz"
    assert run(["explain", PHOTO, "--output", str(image), "--npz", str(arrays), "--label", "anger"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("face 0, default: anger ")
    assert [line.split()[0] for line in lines[1:]] == ["occlusion", "centre", "better,"]
    assert lines[1].endswith("  better")
    assert mien.read_image(image).shape[1] == mien.read_image(PHOTO).shape[1]
    with np.load(arrays) as values:
        assert values["0/default/occlusion"].shape == (GRID, GRID)
        assert values["0/default/occlusion/deletion"].shape == (9,)
        assert str(values["0/default/label"]) == "anger"
    moving = tmp_path / "moving.gif"
    Image.open(PHOTO).resize((128, 150)).save(moving, save_all=True, append_images=[Image.new("RGB", (128, 150))])
    assert run(["explain", str(moving), "--no-detect", "--output", str(image)]) == 0
    assert "only the first of 2 images" in capsys.readouterr().err
    assert run(["explain", str(moving), "--output", str(moving)]) == 1
    assert "would be overwritten" in capsys.readouterr().err
    assert run(["explain", PHOTO, "--label", "joy"]) == 2
    assert run(["explain", PHOTO, "--output", str(tmp_path / "no" / "such.png")]) == 1
    assert run(["explain", PHOTO, "--output", str(tmp_path / "maps.xyz")]) == 1
    assert run(["explain", PHOTO, "--npz", str(tmp_path / "maps.png")]) == 2
    assert run(["explain", PHOTO, "--weights", "default,poster", "--output", str(image)]) == 2


def test_prediction_writes_an_overlay_of_each_face(tmp_path: Path) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    shutil.copy(PHOTO, tmp_path / "in" / "deeper" / "a.jpg")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no image")
    folder = tmp_path / "why"
    assert run(["predict", str(tmp_path / "in"), "--explain", str(folder), "--quiet"]) == 1  # the broken one
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.png")] == ["deeper/a.jpg.face0.png"]
    assert run(["predict", PHOTO, "--explain", str(folder), "--explain-method", "all"]) == 2


def test_all_methods_are_those_that_the_network_has() -> None:
    (one,) = mien.explain(PHOTO, methods="all", curves=False)
    assert [each.method for each in one.maps] == ["occlusion", "grad-cam", "integrated-gradients"]
    with pytest.raises(mien.OptionError, match="'default' \\(bare_backbone\\) have no attention"):
        mien.explain(PHOTO, methods="attention")


def test_onnx_weights_have_no_attention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(SHIPPED / "default" / "default.onnx", tmp_path / "own.onnx")
    manifest = json.loads((SHIPPED / "default" / "manifest.json").read_text())
    manifest |= {"name": "own", "files": {"own.onnx": sha256(tmp_path / "own.onnx")}}
    (tmp_path / "own.json").write_text(json.dumps(manifest))
    with pytest.raises(mien.OptionError, match=r"no attention or grad-cam: use the method occlusion"):
        mien.explain(PHOTO, weights=tmp_path / "own.onnx", methods="attention,grad-cam")


def test_a_missing_extra_is_named(recognizer: mien.Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.explanation import torch_maps

    for missing in ("torch", "captum"):
        with monkeypatch.context() as patched:
            patched.setattr(torch_maps, "find_spec", lambda name, missing=missing: None if name == missing else 1)
            with pytest.raises(mien.MissingPackageError, match=rf"{missing}.*\[explain\]"):
                mien.explain(PHOTO, recognizer=recognizer, methods="grad-cam")


def test_occlusion_needs_no_torch() -> None:
    from tests.architecture.test_layers import loaded_after

    assert "torch" not in loaded_after("import mien; mien.explain")
    assert module.probability_of
