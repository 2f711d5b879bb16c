"""`mien train` through its command line, with every kind of wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import mien
from mien.cli.app import run
from mien.training.recipe_source import read_recipe
from tests.research.fabricated import prepared

TINY = """
from mien.training.recipe import Optimizer, Recipe

RECIPE = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, data="raf-db",
    variant="aligned", size_px=32, epochs=2, batch=2, validation_fraction=0.4,
)
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("raf-db"), "raf-db", "aligned")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return written(tmp_path, TINY)


def written(folder: Path, text: str) -> Path:
    path = folder / "tiny.py"
    path.write_text(text)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object, code: int | None = None) -> str:
    found = run(["train", *map(str, words)])
    error = capsys.readouterr().err
    assert found == code if code is not None else found in (1, 2), error
    assert "Traceback" not in error
    return error


def test_it_trains_and_mien_reads_the_weights(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    text = said(capsys, recipe, "--data", faces, "--out", out, "--accelerator", "cpu", code=0)
    assert "6 images for training, 1 for validation, 7 for testing" in text
    assert "epoch 2: loss" in text
    manifest = json.loads((out / "weights/manifest.json").read_text())
    assert manifest["labels"] == "raf-db"
    assert run(["weights", "verify", str(out / "weights")]) == 0
    again = said(capsys, recipe, "--data", faces, "--out", out, "--set", "seed=1", "--accelerator", "cpu")
    assert "recipe.seed was 0, now 1" in again


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", ["holds no RECIPE; it must end in RECIPE = Recipe(...)"]),
        ("RECIPE = {'epochs': 3}\n", ["holds no RECIPE"]),
        ("x = 1\n1 / 0\n", ["tiny.py, line 2 stops with ZeroDivisionError"]),
        ("def broken(:\n", ["stops with SyntaxError"]),
        ("import sys\nsys.exit()\n", ["line 2 stops with SystemExit"]),
        (TINY.replace("epochs=2", 'epochs="2"'), ["Recipe.epochs is '2'; it must be int"]),
        (TINY.replace("epochs=2", "epochs=0"), ["Recipe.epochs is 0", "must be at least 1"]),
        (TINY.replace("epochs=2", "epoch=2"), ["unexpected keyword argument 'epoch'"]),
        (TINY.replace("epochs=2", 'frozen=("head.")'), ["frozen is 'head.'; it must be tuple[str, ...]"]),
        (TINY.replace("epochs=2", "optimizer={'rate': 1}"), ["optimizer is {'rate': 1}; it must be Optimizer"]),
        (TINY.replace("epochs=2", 'sampler="even"'), ["sampler is 'even'; it must be one of 'shuffle'"]),
        (TINY.replace("epochs=2", 'optimizer=Optimizer(name="lion")'), ["Optimizer.name is 'lion'", "'adamw'"]),
        (TINY.replace("epochs=2", 'augmentation="strong"'), ["No augmentation called 'strong'"]),
        (TINY.replace("epochs=2", 'protocol="k-fold"'), ["No protocol called 'k-fold'"]),
        (TINY.replace("epochs=2", 'poses="kdf"'), ["No set of pose classes called 'kdf'", "kdef"]),
        (TINY.replace('"phanet"', '"phannet"'), ["No network called 'phannet'", "phanet"]),
        (TINY.replace("model_kwargs={", 'model_kwargs={"depth": 3, '), ["phanet has no option 'depth'"]),
        (TINY.replace("epochs=2", 'frozen=("backbone",)'), ["no parameter of phanet begins with 'backbone'"]),
        (
            TINY.replace("epochs=2", "validation_fraction=0").replace("validation_fraction=0.4", "epochs=1"),
            ["validation"],
        ),
        (
            TINY.replace("epochs=2", 'pretrained={"image_backbone": "ir50.safetensors"}'),
            ["mien weights convert FILE"],
        ),
        (
            TINY.replace("epochs=2", 'pretrained={"backbone": "landmarks68"}'),
            ["PhaNet has no part called 'backbone'"],
        ),
        (
            TINY.replace("epochs=2", 'pretrained={"image_backbone": "default:backbone"}'),
            ["no part called 'backbone'"],
        ),
        (TINY.replace("epochs=2", 'pretrained={"image_backbone": "default"}'), ["default does not fit DenseNet"]),
        (TINY.replace("batch=2", "batch=64"), ["batch 64 is larger than the training set of 6", "--set batch=6"]),
        (TINY.replace('"raf-db"', '"ferplus"'), ["holds raf-db, the recipe tiny is for ferplus"]),
        (TINY.replace('"aligned"', '"original"'), ["holds the variant 'aligned'", "--variant original"]),
    ],
)
def test_a_recipe_that_cannot_be_run_says_why(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str]
) -> None:
    out = tmp_path / "run"
    found = said(capsys, written(tmp_path, text), "--data", faces, "--out", out, "--accelerator", "cpu")
    for word in words:
        assert word in found
    assert not (out / "last.pt").exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--set", "epochs"], "give NAME=VALUE"),
        (["--set", "epochs=many"], "epochs is 'many'; it must be int"),
        (["--set", "epoch=3"], "No field of Recipe called 'epoch'"),
        (["--set", "sampler=even"], "sampler is 'even'; it must be"),
        (["--set", "pretrained=ir50"], "pretrained is 'ir50'; it must be Mapping[str, str]"),
        (["--set", "ema_decay=1.5"], "ema_decay is 1.5"),
        (["--set", "epochs.most=3"], "epochs has no fields of its own"),
        (["--set", "model_kwargs.attenton=false"], "phanet has no option 'attenton'"),
        (["--network", "mypkg.net:Config"], "there is no module mypkg"),
        (["--fold", "3"], "--fold 3: official gives 1 here"),
        (["--devices", "two"], "--devices two"),
        (["--devices", "0"], "--devices 0"),
        (["--accelerator", "tpu"], "--accelerator tpu"),
        (["--accelerator", "cuda", "--devices", "99"], "--accelerator cuda: 99 wanted, torch sees"),
    ],
)
def test_options_that_do_not_fit_say_why(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    assert answer in said(capsys, recipe, "--data", faces, "--out", tmp_path / "run", *words)


def test_a_recipe_is_named_by_name_or_import_path(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["--data", faces, "--out", tmp_path / "run", "--accelerator", "cpu"]
    assert "Did you mean 'poster_v2/light'?" in said(capsys, "poster_v2/ligt", *rest, code=2)
    assert "has no NOTHING" in said(capsys, "mien.recipes.poster_v2.light:NOTHING", *rest, code=2)
    assert "holds aligned" not in said(capsys, "comparison/poster", *rest, code=1)


def test_fields_of_fields_mappings_and_lists_are_set(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = (
        "model_kwargs.attention=false", "optimizer.lr=1e-4", "optimizer.lr_multipliers.image_backbone.=0.5",
        "frozen=head.", "sam.rho=0.1", "pretrained={}", "epochs=1", 'frozen_statistics=[]',
    )  # fmt: skip
    sets = [word for change in changes for word in ("--set", change)]
    said(capsys, recipe, "--data", faces, "--out", tmp_path / "run", "--accelerator", "cpu", *sets, code=0)
    kept = json.loads((tmp_path / "run/run.json").read_text())["recipe"]
    assert kept["model_kwargs"] == {"size_px": 32, "poses": 0, "attention": False}
    assert kept["optimizer"]["lr_multipliers"] == {"image_backbone.": 0.5}
    assert (kept["sam"], kept["frozen"]) == ({"rho": 0.1}, ["head."])


def test_a_finished_run_is_extended_and_says_so(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--data", faces, "--out", out, "--accelerator", "cpu"]
    said(capsys, recipe, *options, "--set", "epochs=1", code=0)
    text = said(capsys, recipe, *options, "--set", "epochs=3", code=0)
    assert "finished with 1 epochs, continues to 3" in text
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert json.loads((out / "run.json").read_text())["extended_from"] == [1]
    assert "epochs was 3, now 2" in said(capsys, recipe, *options, "--set", "epochs=2")


def test_a_run_that_failed_before_its_first_epoch_does_not_block_its_folder(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", faces, "--out", tmp_path / "run", "--accelerator", "cpu", "--set", "epochs=1"]
    said(capsys, recipe, *options, "--set", "batch=64")
    assert not (tmp_path / "run").exists()  # refused before anything is written
    said(capsys, recipe, *options, "--set", "batch=1")  # batch norms need two images
    assert (tmp_path / "run/run.json").exists()
    assert "the run starts over" in said(capsys, recipe, *options, code=0)
    assert json.loads((tmp_path / "run/run.json").read_text())["recipe"]["batch"] == 2


def test_a_folder_with_other_files_is_refused(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/holiday.jpg").write_text("")
    text = said(capsys, recipe, "--data", faces, "--out", tmp_path / "photos", "--accelerator", "cpu")
    assert "holds other files (holiday.jpg); give --out a new folder" in text
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]


def test_saved_steps_are_not_thrown_away_for_another_recipe(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--data", faces, "--out", out, "--accelerator", "cpu", "--set", "epochs=1"]
    said(capsys, recipe, *options, code=0)
    state = torch.load(out / "last.pt", weights_only=True)
    torch.save(state | {"history": [], "step": 2}, out / "last.pt")  # as killed within its first epoch
    before = (out / "last.pt").read_bytes()
    text = said(capsys, recipe, *options, "--set", "seed=3")
    assert "holds another run (0 of 1 epochs, step 2)" in text
    assert "recipe.seed was 0, now 3" in text
    assert "To start over, delete the folder." in text
    assert (out / "last.pt").read_bytes() == before


def test_a_run_that_its_patience_stopped_is_extended(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--data", faces, "--out", out, "--accelerator", "cpu", "--set", "optimizer.lr=0"]
    text = said(capsys, recipe, *options, "--set", "epochs=9", "--set", "patience=2", code=0)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert "without a better one, so it stopped after" in text
    assert 3 <= len(lines) < 9
    assert "recipe.patience was 2, now 1" in said(
        capsys, recipe, *options, "--set", "epochs=9", "--set", "patience=1"
    )
    longer = ["--set", "epochs=12", "--set", "patience=20"]
    assert "continues to 12" in said(capsys, recipe, *options, *longer, code=0)
    assert (out / "metrics.jsonl").read_text().splitlines()[: len(lines)] == lines
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 12
    assert json.loads((out / "run.json").read_text())["extended_from"] == [len(lines)]


def test_the_python_function_gives_the_same_run(faces: Path, recipe: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    result = mien.train(
        recipe, faces, tmp_path / "run", changes={"epochs": 1}, accelerator="cpu",
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert (result.best_epoch, result.weights) == (1, tmp_path / "run/weights/manifest.json")
    assert result.history[0] == result.best
    assert result.recipe.epochs == 1
    assert repr(result).startswith("TrainingResult(folder=PosixPath(")
    assert mien.load_network(result.weights.parent).manifest.name == "tiny"


def test_recipes_are_listed_shown_and_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "list"]) == 0
    assert "poster_v2/light" in capsys.readouterr().out
    assert run(["recipes", "show", "poster_v2/light"]) == 0
    shown = capsys.readouterr().out
    assert "mien train poster_v2/light" in shown
    assert "optimizer.lr = 0.0005" in shown
    assert "# learning rate" in shown
    assert run(["recipes", "copy", "poster_v2/ferplus", str(tmp_path / "own")]) == 0
    copy = tmp_path / "own/ferplus.py"
    assert f"mien train {copy} --data" in copy.read_text()
    assert read_recipe(copy) == read_recipe("poster_v2/ferplus")
    assert run(["recipes", "copy", "poster_v2/ferplus", str(tmp_path / "own")]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_folder_that_is_not_prepared_says_so(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, recipe, "--data", tmp_path, "--out", tmp_path / "run")
    assert "holds no prepared.json; make it with mien data prepare" in found
    found = said(capsys, tmp_path / "none.py", "--data", tmp_path, "--out", tmp_path / "run")
    assert "none.py is no file" in found


def test_a_place_that_cannot_be_written_says_so(
    faces: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    found = said(capsys, recipe, "--data", faces, "--out", tmp_path / "file", "--accelerator", "cpu")
    assert f"{tmp_path / 'file'} cannot be made" in found


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over several threads round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_killed_command_goes_on_to_the_same_weights(faces: Path, recipe: Path, tmp_path: Path) -> None:
    options = ["--data", str(faces), "--accelerator", "cpu", "--quiet", "--set", "epochs=8"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run(["train", str(recipe), "--out", str(whole), *options]) == 0
    command = [sys.executable, "-m", "mien", "train", str(recipe), "--out", str(killed), *options]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None and not (killed / "last.pt").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len((killed / "metrics.jsonl").read_text().splitlines())
    assert 1 <= done < 8
    assert run(["train", str(recipe), "--out", str(killed), *options]) == 0
    first, second = (
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (whole, killed)
    )
    assert first == second
    assert (whole / "best.safetensors").read_bytes() == (killed / "best.safetensors").read_bytes()


TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("launcher", [[], TORCHRUN], ids=["devices", "torchrun"])
def test_two_processes_of_one_command_learn_like_one(
    faces: Path, recipe: Path, tmp_path: Path, launcher: list[str]
) -> None:
    options = [
        "--data",
        str(faces),
        "--accelerator",
        "cpu",
        "--quiet",
        "--set",
        "batch=4",
        "--set",
        "micro_batch=2",
    ]
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(["train", str(recipe), "--out", str(one), *options]) == 0
    command = [
        sys.executable,
        *launcher,
        "-m",
        "mien",
        "train",
        str(recipe),
        "--out",
        str(two),
        *options,
        "--devices",
        "2",
    ]
    command.remove("--quiet")
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("kept epoch") == 1  # by one process
    first, second = (
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (one, two)
    )
    for mine, other in zip(first, second, strict=True):
        assert other == pytest.approx(mine, abs=1e-3)
    assert run(["weights", "verify", str(two / "weights")]) == 0
