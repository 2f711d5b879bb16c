"""The ablation of PhaNet on a handful of fabricated images."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

OPTIONS = ["--form", "small", "--size", "32", "--batch", "8", "--epochs", "2"]


@pytest.fixture
def recipe() -> Any:
    return import_module("research.experiments.phanet_ablation")


@pytest.fixture
def views(tmp_path: Path) -> Path:
    """Sixteen training images, eight to choose on, eight to judge; two expressions at four yaws."""
    folder = tmp_path / "views"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(32):
        split = ("train", "train", "valid", "test")[i // 8]
        Image.fromarray(rng.integers(0, 255, (48, 48, 3), np.uint8)).save(folder / f"{i}.png")
        rows.append(
            {
                "file": f"{i}.png",
                "split": split,
                "identity": f"{split}{i // 2}",
                "expression": ("happiness", "anger")[i % 2],
                "yaw_class": (-60, -30, 30, 60)[i % 8 // 2],
            }
        )
    with (folder / "views.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def test_yaws_are_in_order_and_expressions_in_that_of_ferplus(recipe: Any, views: Path) -> None:
    read = recipe.read_views(views)
    assert (read.classes, read.yaws) == (("happiness", "anger"), (-60, -30, 30, 60))
    assert read.expression[:4].tolist() == [0, 1, 0, 1]
    assert read.pose[:8].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(read.rows("train")) == 16
    assert read.images.shape == (32, 3, 48, 48)
    some = recipe.read_views(views, [30, -30])
    assert (some.yaws, len(some.images)) == ((-30, 30), 16)


def test_yaws_that_are_absent_or_lopsided_are_refused(recipe: Any, views: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no views at \[45\]; it has \[-60.0, -30.0, 30.0, 60.0\]"):
        recipe.read_views(views, [-30, 45])
    with pytest.raises(SystemExit, match="yaws must be symmetric"):
        recipe.read_views(views, [-30, 60])


def test_a_flipped_image_has_the_flipped_pose(recipe: Any, views: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = recipe.read_views(views)
    options = recipe.argparse.Namespace(seed=0, batch=16, size=48)
    drawn = {}
    for flip in (0, 1):
        still = recipe.transforms.Placement(rotate_deg=0, scale=(1, 1), shift=0, flip=flip)
        monkeypatch.setattr(recipe, "PLACE", still)
        for change in ("colour", "blur"):
            monkeypatch.setattr(recipe.transforms, change, lambda x, rng, **_: x)
        (drawn[flip],) = recipe.batches(read, options, epoch=0)
    assert torch.equal(drawn[1][1], drawn[0][1])
    assert torch.equal(drawn[1][2], 3 - drawn[0][2])
    torch.testing.assert_close(drawn[1][0], drawn[0][0].flip(-1), rtol=0, atol=1e-4)


def test_an_interrupted_run_ends_as_one_that_was_not(
    recipe: Any, views: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", "--views", str(views), *OPTIONS]
    recipe.main([*command, "--out", str(tmp_path / "whole")])
    judge, calls = recipe.judge, []

    def stop_in_the_second_epoch(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge(*args)

    monkeypatch.setattr(recipe, "judge", stop_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        recipe.main([*command, "--out", str(tmp_path / "broken")])
    monkeypatch.setattr(recipe, "judge", judge)
    recipe.main([*command, "--out", str(tmp_path / "broken")])
    whole, broken = (torch.load(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert broken["step"] == 2
    assert all(torch.equal(whole["network"][key], value) for key, value in broken["network"].items())
    result = json.loads((tmp_path / "broken" / "result.json").read_text())
    assert result["test"] == json.loads((tmp_path / "whole" / "result.json").read_text())["test"]
    assert [len(row) for row in result["test"]["table"]] == [2] * 4
    with pytest.raises(SystemExit, match=r"holds another run \(--rate 0\.002, now 0\.1\)"):
        recipe.main([*command, "--out", str(tmp_path / "broken"), "--rate", "0.1"])


def test_the_ablation_prints_a_row_for_each_configuration(
    recipe: Any, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.main(["ablation", "--views", str(views), "--out", str(tmp_path / "runs"), "--seeds", "2", *OPTIONS])
    lines = capsys.readouterr().out.splitlines()
    rows = len(recipe.CONFIGURATIONS)
    assert lines[0].startswith("| configuration | parameters | mean over poses | accuracy | pose | -60° |")
    assert [line.split(" | ")[0] for line in lines[2 : 2 + rows]] == [f"| {name}" for name in recipe.CONFIGURATIONS]
    assert " ± " in lines[2]
    assert lines[3 + rows] == "| yaw | happiness | anger |"
