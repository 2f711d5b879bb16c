"""Training on images as their set has them, and what the weights then do with photos."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric

import mien
from mien.errors import WeightsError
from mien.geometry import five_points
from mien.prepared.image_framing import framing_of
from mien.prepared.store import PreparedStore
from mien.training.data import TrainingData
from mien.training.plan import make_plan
from mien.training.recipe import Recipe
from mien.training.session import run_plan
from mien.weights.manifest import load_manifest
from tests.conftest import EXAMPLES
from tests.research.fabricated import prepared

TINY = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, size_px=32,
    epochs=1, batch=2, validation_fraction=0.4, data="jaffe", protocol="cross", augmentation="poster_v2",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path, "jaffe", template="image")


def trained(folder: Path, out: Path) -> Path:
    return run_plan(make_plan(TINY, folder), out, fabric=Fabric(accelerator="cpu", devices=1)).weights


def test_the_weights_know_the_framing_of_their_training_images(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="mien.training"):
        manifest = load_manifest(str(trained(folder, tmp_path / "run")))
    plan, store = make_plan(TINY, folder), PreparedStore(folder)
    of_training = store.take(plan.fold.train)
    points = five_points(of_training.landmarks[of_training.detected].astype(float)) / store.canvas_px
    assert manifest.inputs.template == "image"
    np.testing.assert_allclose(manifest.inputs.points, np.median(points, axis=0), atol=1e-4)
    (note,) = manifest.notes
    assert "trained on images as their set has them" in note
    assert "the set has no one framing" in note  # the faces are made up at random
    assert note in caplog.text
    assert json.loads(manifest.path.read_text())["inputs"]["points"] == [list(p) for p in manifest.inputs.points]
    (face,) = mien.predict(EXAMPLES / "astronaut.jpg", weights=manifest.path)
    assert face.expression is not None


def test_validation_sees_the_whole_images(folder: Path) -> None:
    data, store = TrainingData(make_plan(TINY, folder)), PreparedStore(folder)
    x, _ = data.validation_batch(np.arange(3), torch.device("cpu"))
    for row, seen in zip(data.valid_rows[:3], x, strict=True):
        resized = Image.fromarray(store.images([row])[0]).resize((32, 32), Image.Resampling.BILINEAR)
        theirs = data.augmentation.inputs.normalise(np.asarray(resized)[None])[0]
        assert np.abs(seen.numpy() - theirs).max() < 1.01 / 255 / 0.224


def test_where_no_face_was_detected_photos_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PreparedStore, "detected", property(lambda self: np.zeros(len(self), dtype=bool)))
    manifest = load_manifest(str(trained(folder, tmp_path / "run")))
    assert manifest.inputs.points is None
    assert "no face was detected in any" in manifest.notes[0]
    with pytest.raises(WeightsError, match="--no-align"):
        mien.predict(EXAMPLES / "astronaut.jpg", weights=manifest.path)
    recognizer = mien.load(manifest.path, threads=1)
    with pytest.raises(WeightsError, match="--no-align"):  # at once, not for each file
        recognizer.predict_many([EXAMPLES / "astronaut.jpg", EXAMPLES / "grace_hopper.jpg"])
    with pytest.raises(WeightsError, match="--no-align"):
        recognizer.frames("talk.mp4")


def test_aligned_faces_have_no_note_on_framing(tmp_path: Path) -> None:
    plan = make_plan(TINY, prepared(tmp_path, "jaffe"))
    assert (plan.framing, plan.framing_note) == (None, "")
    assert plan.augmentation.inputs.points is None


def test_several_sets_share_one_framing(tmp_path: Path) -> None:
    folders = [prepared(tmp_path / name, name, template="image") for name in ("jaffe", "ferplus")]
    plan = make_plan(replace(TINY, data=""), folders)
    rows = np.concatenate([source.train for source in plan.sources])
    assert plan.framing == framing_of(plan.store.take(rows))
    assert plan.framing.images == len(rows)
