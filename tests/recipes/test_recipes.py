"""Every recipe says what its data set and paper say, and trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from lightning_fabric import Fabric
from safetensors.torch import load_file

from mien.augment.presets import PRESETS
from mien.datasets import dataset_info
from mien.models.paper_results import PAPER_RESULTS
from mien.training.plan import make_plan
from mien.training.recipe import Recipe
from mien.training.recipe_source import FOLDER, read_recipe, shipped_recipes
from mien.training.session import TrainingResult, run_plan
from mien.weights.fill import load_network
from mien.weights.manifest import shipped_names
from tests.research.fabricated import prepared

NAMES = list(shipped_recipes())
FILES = [FOLDER / f"{name}.py" for name in NAMES]
BATCH = 4
SIZES = {"phanet": 96}  # of the light form, where the published preset has another


@pytest.fixture(params=FILES, ids=NAMES)
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_it_fits_its_data_set_and_its_paper(file: Path) -> None:
    recipe = read_recipe(file)
    assert recipe.name == f"{file.parent.name}-{file.stem.replace('_', '-')}"
    assert recipe.augmentation in PRESETS
    assert recipe.paper
    assert recipe.hardware
    assert recipe.measured
    if recipe.data:
        info = dataset_info(recipe.data)
        assert recipe.variant in info.variants
        assert recipe.protocol in (info.protocol, "cross")
        evaluated_on = file.stem.partition("_to_")[2] or recipe.data
        known = {
            figure.accuracy
            for figure in PAPER_RESULTS
            if (figure.network, figure.dataset, figure.classes)
            == (recipe.network, evaluated_on, len(info.labels(recipe.variant)))
        }
        compared = file.parent.name == "comparison"  # ours, in a light form
        assert recipe.paper_accuracy in ({None} if compared else known or {None})


def test_its_docstring_names_its_file_and_its_run(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert f"mien train {file.parent.name}/{file.stem} --data prepared/" in text
    assert "--split" not in text  # every reader calls the set that papers report on "test"
    if read_recipe(file).data:
        assert f"--out runs/{read_recipe(file).name}" in text


def test_every_published_figure_has_a_recipe() -> None:
    there = {(recipe.network, recipe.paper_accuracy) for recipe in map(read_recipe, FILES)}
    assert {(figure.network, figure.accuracy) for figure in PAPER_RESULTS} <= there


def test_it_trains_one_step_in_the_light_form(file: Path, tmp_path: Path) -> None:
    recipe = read_recipe(file)
    shipped = {
        part: source for part, source in recipe.pretrained.items() if source.partition(":")[0] in shipped_names()
    }
    if recipe.config_name == "light":
        one_step(replace(recipe, pretrained=shipped), tmp_path)
    else:
        one_step(
            replace(recipe, config_name="light", pretrained={}, size_px=SIZES.get(recipe.network, 0)), tmp_path
        )


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.parametrize("name", ["poster/affectnet_8", "poster_v2/raf_db", "apvit/raf_db", "phanet/kdef"])
def test_it_trains_one_step_in_the_published_form(name: str, tmp_path: Path) -> None:
    one_step(replace(read_recipe(FOLDER / f"{name}.py"), pretrained={}), tmp_path)


def one_step(recipe: Recipe, folder: Path) -> TrainingResult:
    data = recipe.data or "raf-db"
    recipe = replace(
        recipe, folds=min(recipe.folds, 3), validation_fraction=0.4, epochs=1, micro_batch=0, frozen=(), batch=BATCH
    )
    chosen = make_plan(recipe, prepared(folder, data, recipe.variant))
    rows = chosen.fold
    few = replace(rows, train=rows.train[:BATCH], valid=rows.valid[:BATCH], test=rows.test[:BATCH])
    finished = run_plan(replace(chosen, fold=few), folder / "run", fabric=Fabric(accelerator="cpu", devices=1))
    assert finished.history[0]["step"] >= 1
    network = load_network(folder / "run/weights")
    assert network.manifest.labels is not None
    assert load_file(folder / "run/best.safetensors").keys() == network.state_dict().keys()
    return finished
