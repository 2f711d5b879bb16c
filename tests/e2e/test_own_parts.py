"""The parts of docs/how-to/own-parts.md, as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

import mien
from mien.cli.app import run
from mien.training.recipe_source import read_recipe
from tests.e2e.faces import PHOTO, write_crop

PAGE = (Path(__file__).parents[2] / "docs/how-to/own-parts.md").read_text(encoding="utf-8")
MODULES = dict(re.findall(r"```python\n# (mypkg/\w+\.py)\n(.*?)```", PAGE, flags=re.S))
TOGETHER, ALONE = re.findall(r"```\n(mien .*?)```", PAGE, flags=re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package of the page, a small data set and a photo; the commands of "All of them together" have run."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in MODULES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(PHOTO, folder / "photo.jpg")
    lines = ["image,mood,split"]
    for i in range(24):
        write_crop(folder / f"faces/images/{i:03d}.png", seed=i)
        mood, split = ("happiness", "bored", "confused")[i % 3], "test" if i > 17 else "train"
        lines.append(f"images/{i:03d}.png,{mood},{split}")
    (folder / "faces/list.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in TOGETHER.splitlines():
            assert (
                run([*shlex.split(line)[1:], *(["--accelerator", "cpu"] * line.startswith("mien train"))]) == 0
            ), line
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypkg"]:
        del sys.modules[name]


def test_each_part_takes_less_than_thirty_lines() -> None:
    assert list(MODULES) == [
        "mypkg/net.py", "mypkg/sets.py", "mypkg/aug.py", "mypkg/loss.py",
        "mypkg/split.py", "mypkg/recipes.py",
    ]  # fmt: skip
    assert max(len(text.splitlines()) for text in MODULES.values()) < 30


def test_the_weights_name_the_network_and_read_its_classes(folder: Path) -> None:
    network = mien.load_network("runs/moods/weights")
    assert network.manifest.network == "mypkg.net:Config"
    assert network.manifest.config == {"classes": 3, "width": 32}
    (face,) = mien.predict("photo.jpg", weights="runs/moods/weights")
    assert face.expression.labels == ("happiness", "bored", "confused")


def test_parts_are_used_alone(folder: Path) -> None:
    first, _, *halves = ALONE.replace("\\\n", "").splitlines()  # test_train.py sets the field of the second
    for line in (first, *halves):
        assert run([*shlex.split(line)[1:], *(["--accelerator", "cpu"] * line.startswith("mien train"))]) == 0, line


def test_a_run_states_the_loss_and_tests_what_the_protocol_says(folder: Path) -> None:
    loss = json.loads((folder / "runs/moods/run.json").read_text())["recipe"]["loss"]
    assert (loss["class"], loss["gamma"]) == ("Focal", 1.5)
    folds = [json.loads((folder / f"runs/half{i}/weights/fold.json").read_text()) for i in range(2)]
    assert sorted(folds[0]["test"] + folds[1]["test"]) == list(range(24))
    recipe = read_recipe("mypkg.recipes:MINE", {"loss.gamma": "1"})
    assert (type(recipe.loss).__name__, recipe.loss.gamma) == ("Focal", 1.0)


def test_what_is_no_such_part_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", "prepared/moods", "--out", "runs/none", "--accelerator", "cpu"]
    for words, message in (
        (["poster_v2/light", "--network", "mypkg.net:nn"], "a config is a dataclass with a method build()"),
        (
            ["poster_v2/light", "--set", "augmentation=mypkg.net:Config"],
            "must be a mien.augment.presets.Augmentation",
        ),
        (["mypkg.recipes:MINE", "--set", "protocol=mypkg.aug:BLURRED"], "give a class with a method folds"),
        (["mypkg.net:Config"], "mypkg.net:Config holds no RECIPE"),
    ):
        assert run(["train", *words, *options]) in (1, 2)
        assert message in capsys.readouterr().err
