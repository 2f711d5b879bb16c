"""Several data sets from tables of labels to evaluated weights, through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from mien.cli.app import run
from mien.weights.manifest import load_manifest
from tests.e2e.faces import write_crop

RECIPE = """
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, size_px=32,
    epochs=2, batch=8, protocol="cross", shares={"soft": 3.0, "*": 1.0}, monitor="balanced_accuracy", mixup=0.2,
    sampler="power", augmentation="multi-source", precision="auto",
)
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """soft/labels.csv with votes for all classes, three/labels.csv with labels of three."""
    folder = tmp_path_factory.mktemp("tables")
    for i in range(6):
        write_crop(folder / f"{i}.png", seed=i)
    classes = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
    rng = np.random.default_rng(0)
    votes = [f"{i}.png,{split},person {i},{','.join(map(str, rng.integers(0, 9999, 8)))}"
             for i, split in enumerate(["train"] * 18 + ["valid"] * 6)]  # fmt: skip
    write(folder / "soft", ["path,split,subject," + ",".join(f"p_{name}" for name in classes), *votes])
    labels = [f"{i}.png,{['anger', 'happiness', 'sadness'][i % 3]},{'train' if i < 12 else 'valid'},s{i}"
              for i in range(18)]  # fmt: skip
    write(folder / "three", ["path,label,split,subject", *labels])
    return folder


def write(folder: Path, lines: list[str]) -> None:
    folder.mkdir()
    for i in range(len(lines) - 1):
        shutil.copy(folder.parent / f"{i % 6}.png", folder / f"{i}.png")
    (folder / "labels.csv").write_text("\n".join(lines))


def test_two_tables_become_weights_that_are_evaluated_on_each(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("soft", "three"):
        words = ["data", "prepare", "csv", tables / name, "--out", tmp_path / "prepared" / name, "--size", "96"]
        assert run([*map(str, words)]) == 0
    (tmp_path / "tiny.py").write_text(RECIPE)
    data = [word for name in ("soft", "three") for word in ("--data", str(tmp_path / "prepared" / name))]
    options = [*data, "--out", str(tmp_path / "run"), "--accelerator", "cpu"]
    capsys.readouterr()
    assert run(["train", str(tmp_path / "tiny.py"), *options]) == 0
    log = capsys.readouterr().err
    assert "soft: 18 and 6, 75% of a batch" in log
    assert "three: 12 and 6, 25% of a batch; says nothing of neutral, surprise, disgust, fear, contempt" in log
    assert "  three: accuracy" in log
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [set(row["sources"]) for row in rows] == [{"soft", "three"}] * 2
    assert run(["train", str(tmp_path / "tiny.py"), *options]) == 0  # finished: nothing to do
    for name in ("soft", "three"):
        words = [
            "evaluate",
            "csv",
            "--data",
            str(tables / name),
            "--split",
            "valid",
            "--weights",
            str(tmp_path / "run"),
        ]
        assert run(words) == 0
    manifest = load_manifest(str(tmp_path / "run"))
    assert [title.partition(" ")[0] for title in manifest.accuracies] == ["soft", "three"]


@pytest.mark.slow
def test_several_recipes_are_trained_at_once_within_their_minutes(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What fills one GPU in ten minutes, small and on the processor."""
    for name in ("soft", "three"):
        words = ["data", "prepare", "csv", tables / name, "--out", tmp_path / "prepared" / name, "--size", "96"]
        assert run([*map(str, words)]) == 0
    names = ("one", "two")
    for name in names:
        (tmp_path / f"{name}.py").write_text(RECIPE.replace('"tiny"', f'"{name}"'))
    data = [word for name in ("soft", "three") for word in ("--data", str(tmp_path / "prepared" / name))]
    options = [*data, "--accelerator", "cpu", "--out", str(tmp_path / "runs"), "--minutes", "0.3"]
    capsys.readouterr()
    assert run(["train", *(str(tmp_path / f"{name}.py") for name in names), *options]) == 0
    log = capsys.readouterr().err
    for name in names:
        assert f"{name}  0.3 minutes: " in log
        assert f"{name}.py: finished, {tmp_path}/runs/{name}/weights" in log
        assert load_manifest(str(tmp_path / "runs" / name)).name == name
        recipe = json.loads((tmp_path / "runs" / name / "run.json").read_text())["recipe"]
        assert recipe["minutes"] == 0.3
        assert recipe["epochs"] * recipe["epoch_images"] >= 8
    assert run(["train", *(str(tmp_path / f"{name}.py") for name in names), *options]) == 0
    assert "finished already" in capsys.readouterr().err  # the epochs that were found at first
    assert run(["train", str(tmp_path / "one.py"), str(tmp_path / "one.py"), *options]) == 2
    assert "two recipes are called one" in capsys.readouterr().err
    assert run(["train", str(tmp_path / "one.py"), str(tmp_path / "none.py"), *options]) == 1
