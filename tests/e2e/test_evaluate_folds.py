"""`mien train` on each fold of a protocol, then `mien evaluate` on all of them together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.cli.app import run
from mien.datasets import dataset_info
from mien.labels import RAF_DB
from tests.datasets.distributions import image, text
from tests.prepared.fabricated import store

pytestmark = pytest.mark.slow  # three runs

TINY = """
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0},
    data="csv", variant="raf-db", size_px=32, epochs=1, batch=2, protocol="subject-folds", folds=3,
)
"""
IMAGES = 21  # of three people


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of noise with labels, and runs on its three folds."""
    folder = tmp_path_factory.mktemp("folds")
    rows = [f"{i:02d}.png,{RAF_DB[i % 7]},person {i // 7}" for i in range(IMAGES)]
    text(folder / "set/labels.csv", "path,label,subject", *rows)
    for i in range(IMAGES):
        image(folder / f"set/{i:02d}.png", seed=i, side=24)
    store(
        folder / "prepared",
        dataset_info("csv").samples(folder / "set", variant="raf-db"),
        name="csv",
        variant="raf-db",
    )
    text(folder / "tiny.py", TINY)
    for fold in range(3):
        command = ["train", folder / "tiny.py", "--data", folder / "prepared", "--out", folder / f"fold{fold}"]
        assert run([*map(str, command), "--fold", str(fold), "--accelerator", "cpu", "--quiet"]) == 0
    return folder


def evaluate(folder: Path, *more: str | Path, weights: str = "fold{fold}/weights") -> int:
    data = ["--data", str(folder / "set"), "--variant", "raf-db", "--weights", str(folder / weights)]
    return run(["evaluate", "csv", *data, "--no-detect", "--quiet", *map(str, more)])


def test_every_image_is_predicted_once_by_weights_that_never_saw_it(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    assert evaluate(trained, "--json", out, "--html", page) == 0
    result = json.loads(out.read_text())
    assert result["settings"]["split"] == "subject-folds, test parts of 3 folds"
    assert result["resampled"] == "subjects"
    assert [fold["fold"] for fold in result["folds"]] == [f"fold {i} of 3" for i in (1, 2, 3)]
    assert sum(fold["images"] for fold in result["folds"]) == result["metrics"]["images"] == IMAGES
    accuracy = [fold["accuracy"] for fold in result["folds"]]
    assert result["over_folds"]["accuracy"] == pytest.approx(
        {"mean": np.mean(accuracy), "std": np.std(accuracy, ddof=1)}
    )
    assert "mean ± std" in capsys.readouterr().out
    assert '<h2 id="folds">Folds</h2>' in page.read_text()


def test_a_fold_is_predicted_by_its_own_weights(trained: Path, tmp_path: Path) -> None:
    whole, alone = tmp_path / "whole.json", tmp_path / "alone.json"
    assert evaluate(trained, "--json", whole) == 0
    assert evaluate(trained, "--json", alone, weights="fold1/weights") == 0
    one, fold = json.loads(alone.read_text()), json.loads(whole.read_text())["folds"][1]
    assert one["settings"]["split"] == "subject-folds, test part of fold 2 of 3"
    assert one["folds"] == []
    for name in ("images", "accuracy", "balanced_accuracy", "macro_f1"):
        assert one["metrics"][name] == pytest.approx(fold[name])
    manifest = json.loads((trained / "fold1/weights/manifest.json").read_text())
    assert manifest["measured"]["test (fold 2 of 3)"].keys() >= {"accuracy"}


def test_two_protocols_runs_are_compared(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(trained, "--compare", trained / "fold{fold}/weights") == 0
    assert "McNemar p = 1" in " ".join(capsys.readouterr().out.split())
    assert evaluate(trained, "--compare", trained / "fold0/weights", "--limit", "9") == 0
    assert "9 images, 9 with a prediction" in capsys.readouterr().out


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    for name in ("set", "fold0", "fold1", "fold2"):
        shutil.copytree(trained / name, tmp_path / name)
    return tmp_path


def change(folder: Path, **values: object) -> None:
    path = folder / "weights/fold.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_is_no_set_of_folds_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*more: str | Path) -> str:
        assert evaluate(copied, *more) in (1, 2)
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "split, exclude_duplicates: not with {fold}" in refused("--split", "test", "--exclude-duplicates")
    change(copied / "fold2", settings={"seed": 1})
    assert "do not belong together: settings is {'seed': 1}, not" in refused()
    change(copied / "fold1", fold=2)
    assert "was trained on fold 2, not on fold 1" in refused()
    (copied / "fold1/weights/fold.json").write_text("{")
    assert "fold.json is damaged" in refused()
    (copied / "fold1/weights/fold.json").unlink()
    assert "holds no fold.json" in refused()
    shutil.rmtree(copied / "fold1")
    assert "fold 1 of 3 is missing" in refused()
    shutil.rmtree(copied / "fold0")
    assert "fold 0 is missing" in refused()


def test_folds_whose_images_frame_faces_a_little_otherwise_belong_together(copied: Path) -> None:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    for fold in range(3):  # each measured on its own training images
        path = copied / f"fold{fold}/weights/manifest.json"
        values = json.loads(path.read_text())
        values["inputs"] |= {"template": "image", "points": (points + 0.001 * fold).tolist()}
        path.write_text(json.dumps(values))
    assert evaluate(copied) == 0
    assert evaluate(copied, "--no-align") == 0


def test_overlapping_folds_are_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads((copied / "fold0/weights/fold.json").read_text())
    change(copied / "fold1", test=first["test"])
    assert evaluate(copied) == 1
    assert f"{len(first['test'])} images are tested by more than one fold" in capsys.readouterr().err


def test_folds_of_another_state_of_the_set_are_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (copied / "set/labels.csv").read_text().splitlines()
    (copied / "set/labels.csv").write_text("\n".join(lines[:-1]))
    assert evaluate(copied) == 1
    assert "the folds were made of another state of csv" in capsys.readouterr().err
    assert evaluate(copied, weights="fold0/weights") == 0  # another set: all of it is evaluated
    assert f"{IMAGES - 1} images" in capsys.readouterr().out
    assert evaluate(copied, "--compare", "{fold}", weights="fold0/weights") == 2
    assert "give weights with {fold} too" in capsys.readouterr().err
