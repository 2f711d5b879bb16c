"""Weights that were trained on images as their set has them: evaluated, calibrated, exported, explained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.cli.app import run
from mien.datasets import dataset_info
from mien.errors import OptionError
from mien.prepared.image_framing import stated_framing
from mien.prepared.store import PreparedStore
from mien.weights.manifest import SHIPPED, load_manifest, write_manifest
from tests.conftest import EXAMPLES
from tests.prepared.cut_faces import SIDE, faces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faces(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "faces"
    mien.prepare("folder", folder, out, template="image", canvas_px=SIDE)
    return out


@pytest.fixture(scope="module")
def weights(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's weights as if a run had made them of images as their set has them."""
    path = tmp_path_factory.mktemp("weights") / "own"
    shutil.copytree(SHIPPED / "default", path)
    manifest, framing = load_manifest(str(path)), stated_framing(prepared)
    inputs = replace(manifest.inputs, template="image", points=framing.points, aspect=framing.aspect)
    write_manifest(
        replace(manifest, name="own", inputs=inputs, priors={"default": (0.0,) * 8}, confidence_thresholds={})
    )
    return path


def test_aligned_and_unaligned_faces_are_framed_alike(folder: Path, weights: Path) -> None:
    options = {"weights": weights, "workers": 1}
    aligned = mien.evaluate("folder", folder, **options)
    as_they_are = mien.evaluate("folder", folder, align=False, **options)
    assert aligned.predictions is not None
    assert as_they_are.predictions is not None
    apart = np.abs(aligned.predictions.probabilities - as_they_are.predictions.probabilities).sum(axis=1) / 2
    assert np.median(apart) < 0.2
    note = "own was trained on images as their set has them; here faces are aligned to the framing of that set"
    assert aligned.notes[-1] == f"{note}; --no-align feeds images as they are"
    assert not [line for line in as_they_are.notes if "framing" in line]


def test_unaligned_images_are_the_stored_ones(folder: Path, prepared: Path, weights: Path) -> None:
    recognizer, store = mien.load(weights, precision="float32", threads=1), PreparedStore(prepared)
    probabilities = recognizer.network.probabilities(store.aligned(np.arange(8), 96))
    result = mien.evaluate("folder", folder, weights=weights, align=False, workers=1)
    assert result.predictions is not None
    known = [recognizer.labels.index(label) for label in result.predictions.labels]
    restricted = probabilities[:, known] / probabilities[:, known].sum(axis=1, keepdims=True)
    paths = [str(path) for path in store.samples.path]
    order = [paths.index(str(path)) for path in result.predictions.path]
    np.testing.assert_allclose(result.predictions.probabilities, restricted[order], atol=1e-6)


def test_photos_with_several_faces_are_not_fed_as_they_are(
    folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = replace(dataset_info("folder"), image_kind="photo")
    with pytest.raises(OptionError, match="shows photos, in which faces must be found"):
        mien.evaluate(scenes, folder, weights=weights, align=False)
    notes = mien.evaluate(scenes, folder, weights=weights, limit=1).notes
    assert notes[-1].endswith("aligned to the framing of that set")  # nothing else can be done


def test_corruptions_and_explanations_work_on_faces_framed_so(folder: Path, weights: Path) -> None:
    result = mien.evaluate("folder", folder, weights=weights, corruptions="blur", limit=2)
    assert result.robustness is not None
    (explained,) = mien.explain(EXAMPLES / "astronaut.jpg", weights=weights, curves=False)
    face, inputs = explained.face, load_manifest(str(weights)).inputs
    np.testing.assert_allclose(explained.matrix, inputs.matrix(np.array(face.landmarks)), atol=1e-6)


def test_it_is_calibrated_on_the_set_prepared_as_it_is(
    tmp_path: Path, folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many, own = tmp_path / "many", tmp_path / "own"
    shutil.copytree(weights, own)
    for i in range(15):
        shutil.copytree(folder, many / f"{i}", dirs_exist_ok=True)
    lines = ["path,label", *(f"{path.relative_to(many)},{path.parent.name}" for path in many.rglob("*.png"))]
    (many / "labels.csv").write_text("\n".join(lines))
    mien.prepare("csv", many / "labels.csv", tmp_path / "as-they-are", template="image", canvas_px=SIDE)
    mien.prepare("csv", many / "labels.csv", tmp_path / "aligned")
    result = mien.calibrate(own, tmp_path / "as-they-are", split="all")
    assert result.manifest.inputs == load_manifest(str(weights)).inputs
    assert run(["calibrate", str(own), "--data", str(tmp_path / "aligned"), "--split", "all"]) == 2
    assert "mien data prepare --template image" in capsys.readouterr().err


def test_an_exported_file_frames_faces_alike(prepared: Path, weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    manifest = mien.export(weights, precision="fp16", out=tmp_path / "half.onnx", prepared=prepared)
    assert manifest.inputs == load_manifest(str(weights)).inputs
    values = json.loads((tmp_path / "half.json").read_text())["inputs"]
    assert values["template"] == "image"
    assert np.shape(values["points"]) == (5, 2)
    (one,), (other,) = (mien.predict(EXAMPLES / "astronaut.jpg", weights=path, precision="float32")
                        for path in (weights, tmp_path / "half.json"))  # fmt: skip
    assert one.expression is not None
    assert other.expression is not None
    np.testing.assert_allclose(one.expression.values, other.expression.values, atol=0.01)
