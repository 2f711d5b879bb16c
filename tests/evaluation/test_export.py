"""Exported forms agree with torch, or nothing is written."""

# ruff: noqa: F811  (a fixture of another module)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import mien
from mien.errors import MissingPackageError, OptionError, UnknownNameError, WeightsError
from mien.evaluation import export as module
from mien.evaluation.folds import FoldInfo
from mien.evaluation.validation_rows import ValidationRows, ValidationSets
from mien.nn.onnx_session import open_session
from mien.weights.manifest import load_manifest
from mien.weights.parity import parity_faces
from tests.conftest import EXAMPLES
from tests.weights.test_onnx_export import trained  # noqa: F401


def test_half_precision_takes_half_the_room(trained: Path, tmp_path: Path) -> None:
    single = mien.export(trained, out=tmp_path / "single.onnx")
    half = mien.export(trained, out=tmp_path / "half.onnx", precision="fp16")
    assert half.measured["export"]["largest_difference"] < module.LIMITS["fp16"]
    faces = parity_faces(half.inputs)
    one, other = (open_session(each.file(".onnx"), threads=1) for each in (single, half))
    np.testing.assert_allclose(one.run(None, {"faces": faces})[0], other.run(None, {"faces": faces})[0], atol=1e-3)


def test_an_exported_run_still_knows_which_images_it_held_out(trained: Path, tmp_path: Path) -> None:
    held_out = ValidationSets(sets=(ValidationRows(set="jaffe", samples="1f", rows=(3, 5)),))
    held_out.write(trained / "weights")
    ValidationSets(sets=()).write(tmp_path)  # of other weights in the folder of the export
    for name, options in (("single.onnx", {}), ("half.onnx", {"precision": "fp16"})):
        manifest = mien.export(trained, out=tmp_path / name, **options)
        assert ValidationSets.of(manifest) == ValidationSets.of(load_manifest(str(tmp_path / name))) == held_out
        assert FoldInfo.of(manifest) is None
    assert (tmp_path / "half.validation.json").is_file()
    (trained / "weights/validation.json").unlink()
    for file in tmp_path.glob("half.[jo]*"):
        file.unlink()
    again = mien.export(trained, out=tmp_path / "half.onnx", precision="fp16")
    assert ValidationSets.of(again).sets == ()  # not those of the earlier file of this name


def test_torch_programs_take_any_batch(trained: Path, tmp_path: Path) -> None:
    manifest = mien.export(trained, to="torch-export", out=tmp_path / "net.pt2")
    assert load_manifest(str(tmp_path / "net.json")) == manifest
    module = torch.export.load(tmp_path / "net.pt2").module()
    assert module(torch.zeros(5, 3, 32, 32)).shape == (5, 68, 2)


def test_a_form_that_differs_is_not_written(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(module.LIMITS, "fp16", 1e-9)
    with pytest.raises(WeightsError, match="of the outputs' range on real faces"):
        mien.export(trained, out=tmp_path / "half.onnx", precision="fp16")
    assert not list(tmp_path.glob("half*"))


def test_what_cannot_be_is_refused_first(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="export format"):
        mien.export(trained, to="tflite")
    with pytest.raises(UnknownNameError, match="precision"):
        mien.export(trained, precision="fp4")
    with pytest.raises(OptionError, match="give a prepared set"):
        mien.export(trained, precision="int8", out=tmp_path / "a.onnx")
    with pytest.raises(OptionError, match="torch-export has no int8"):
        mien.export(trained, to="torch-export", precision="int8", out=tmp_path / "a.pt2")
    with pytest.raises(OptionError, match=r"must end in \.pt2"):
        mien.export(trained, to="torch-export", out=tmp_path / "a.onnx")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="openvino"):
        mien.export(trained, to="openvino", out=tmp_path / "a.xml")


@pytest.mark.heavy
def test_int8_is_calibrated_on_a_prepared_set_and_states_what_it_costs(tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    for i, name in enumerate(("happiness", "neutral") * 4):
        (faces / name).mkdir(parents=True, exist_ok=True)
        with Image.open(EXAMPLES / ("astronaut.jpg" if name == "happiness" else "grace_hopper.jpg")) as photo:
            photo.convert("RGB").rotate(2 * i - 8, Image.Resampling.BICUBIC).save(faces / name / f"{i}.jpg")
    mien.prepare("folder", faces, tmp_path / "prepared", canvas_px=96)
    manifest = mien.export("phanet", precision="int8", out=tmp_path / "small.onnx", prepared=tmp_path / "prepared")
    stated = manifest.measured["export"]
    assert (stated["precision"], stated["images"]) == ("int8", 8)
    assert stated["accuracy_lost"] == pytest.approx(stated["accuracy_torch"] - stated["accuracy_file"])
    assert 0 < stated["largest_difference"] < module.LIMITS["int8"]
    assert b"QuantizeLinear" in manifest.file(".onnx").read_bytes()
    (face,) = mien.predict(EXAMPLES / "astronaut.jpg", weights=tmp_path / "small.json")
    assert str(face.expression.top) == "happiness"
