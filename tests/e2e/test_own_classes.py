"""Classes of one's own: from folders to predictions, by the same commands as any other set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

import mien
from mien.cli.app import run
from tests.e2e.faces import PHOTO, write_crop

CLASSES = ("happiness", "bored", "very confused")
SMALL = """
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="small", network="phanet", config_name="small", size_px=32, epochs=1, batch=8, protocol="cross",
    model_kwargs={"size_px": 32, "poses": 0, "attention": False, "scale_selection": False},
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trained run of one epoch on folders happy, bored and Very Confused."""
    folder = tmp_path_factory.mktemp("own")
    for i in range(24):
        split, name = "test" if i > 17 else "train", ("happy", "bored", "Very Confused")[i % 3]
        write_crop(folder / f"faces/{split}/{name}/{i:03d}.png", seed=i)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["data", "prepare", "folder", "faces", "--out", "prepared"]) == 0
        light = ["poster_v2/light", "--data", "prepared", "--out", "run", "--accelerator", "cpu"]
        assert run(["train", *light, "--set", "epochs=1", "--set", "batch=8"]) == 0
        yield folder


def test_the_manifest_lists_the_classes(folder: Path) -> None:
    manifest = json.loads((folder / "run/weights/manifest.json").read_text())
    assert manifest["labels"] == list(CLASSES)
    assert manifest["config"]["classes"] == 3
    assert run(["weights", "verify", "run/weights"]) == 0


def test_a_prediction_has_the_classes(folder: Path) -> None:
    (face,) = mien.predict(PHOTO, weights="run/weights")
    assert face.expression.labels == CLASSES
    assert sum(face.expression.values) == pytest.approx(1)


def test_a_table_of_predictions_is_evaluated_like_the_weights(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", "faces/test", "--weights", "run/weights", "--no-detect", "--output", "table.csv"]) == 0
    results = []
    for source in (["--weights", "run/weights"], ["--predictions", "table.csv"]):
        assert run(["evaluate", "folder", "--data", "faces", *source, "--json", "result.json"]) == 0
        assert "bored" in capsys.readouterr().out
        results.append((folder / "result.json").read_text())
        assert "very confused" in results[-1]


def test_onnx_gives_the_same_prediction(folder: Path) -> None:
    Path("small.py").write_text(SMALL)  # a network that is exported soon
    assert run(["train", "small.py", "--data", "prepared", "--out", "small", "--accelerator", "cpu"]) == 0
    before = mien.predict(PHOTO, weights="small/weights")
    manifest = mien.export("small/weights")
    assert any(name.endswith(".onnx") for name in manifest.files)
    (after,) = mien.predict(PHOTO, weights="small/weights")
    assert after.expression.values == pytest.approx(before[0].expression.values, abs=1e-4)
    assert after.expression.labels == CLASSES
