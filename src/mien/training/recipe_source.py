"""Recipes by name, from a Python file, or by import path."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mien import plugins
from mien.errors import InputError, MienError, OptionError, OutputError
from mien.training.recipe import Recipe
from mien.training.settings import changed

NEEDS: tuple[tuple[str, str, Callable[[Recipe], bool]], ...] = (
    ("epochs", "no minutes, which set the epochs", lambda of: not of.minutes),
    ("epoch_images", "no minutes, which set the length of an epoch", lambda of: not of.minutes),
    ("folds", "a protocol with folds", lambda of: not of.folds or of.protocol in ("subject-folds", "group-folds")),
    ("sampler_strength", "sampler=power or repeat-factor", lambda of: of.sampler in ("power", "repeat-factor")),
    ("mixup_share", "mixup above 0", lambda of: of.mixup > 0),
    (
        "sam_second_pass_statistics",
        "sam, such as sam.rho=0.05",
        lambda of: of.sam is not None or not of.sam_second_pass_statistics,
    ),
    ("optimizer.momentum", "optimizer.name=sgd", lambda of: of.optimizer.name == "sgd"),
    ("optimizer.nesterov", "optimizer.name=sgd", lambda of: of.optimizer.name == "sgd"),
    ("schedule.gamma", "schedule.name=exponential", lambda of: of.schedule.name == "exponential"),
    ("schedule.floor", "schedule.name=cosine", lambda of: of.schedule.name == "cosine"),
    ("loss.label_smoothing", "loss.smoothed_ce_weight above 0", lambda of: of.loss.smoothed_ce_weight > 0),
    ("loss.temperature", "teachers and loss.distillation_weight", lambda of: of.loss.distillation_weight > 0),
)  # fields that do nothing without another: a change of one alone would pass in silence

FOLDER = Path(__file__).parents[1] / "recipes"


def shipped_recipes() -> dict[str, str]:
    """The recipes of the package: name -> import path."""
    files = sorted(FOLDER.glob("*/[a-z]*.py"))
    return {
        f"{file.parent.name}/{file.stem}": f"mien.recipes.{file.parent.name}.{file.stem}:RECIPE" for file in files
    }


def read_recipe(
    source: Recipe | Path | str, changes: Mapping[str, Any] | None = None, *, from_scratch: bool = False
) -> Recipe:
    """A recipe with some fields changed.

    `source`: a recipe, a name ("poster_v2/light"), a Python file that ends in `RECIPE = Recipe(...)` and may import
    its neighbours, or an import path ("mypkg.recipes:MINE"). `changes`: {"epochs": 5, "optimizer.lr": "1e-4"}; see
    `mien.training.settings.changed`. A new network comes with its own defaults and random weights. `from_scratch`:
    without the recipe's pretrained weights, and nothing frozen but what the changes freeze.
    Raises `InputError` where there is no recipe, `OptionError` for a change that does not fit.
    """
    if isinstance(source, Recipe):
        recipe: object = source
    elif Path(source).suffix == ".py":
        recipe = _from_file(Path(source))
    else:
        recipe = plugins.resolve("recipe", str(source), shipped_recipes())
    if not isinstance(recipe, Recipe):
        raise InputError(f"{source} holds no RECIPE; it must end in RECIPE = Recipe(...)")
    if from_scratch:
        if any(name.partition(".")[0] == "pretrained" for name in changes or {}):
            raise OptionError("from_scratch means no pretrained weights; leave out either it or pretrained")
        recipe = without_pretrained(recipe)
    if changes and "network" in changes and changes["network"] != recipe.network:
        recipe = without_pretrained(replace(recipe, config_name="published", model_kwargs={}))
        recipe = changed(recipe, {"optimizer.lr_multipliers": {}})
    new = changed(recipe, changes or {})
    for name, needs, used in NEEDS:
        if name in (changes or {}) and not used(new):
            raise OptionError(f"{name} has no effect here: it needs {needs}")
    return new


def without_pretrained(recipe: Recipe) -> Recipe:
    """Random weights everywhere, of which nothing is frozen."""
    return replace(recipe, pretrained={}, frozen=(), frozen_statistics=())


def recipe_file(name: str) -> Path | None:
    """The Python file of a recipe by name, path or import path; None where an installed package offers it."""
    if Path(name).suffix == ".py":
        return Path(name)
    module = shipped_recipes().get(name, name if ":" in name else "").partition(":")[0]
    spec = find_spec(module) if module else None
    return Path(spec.origin) if spec and spec.origin else None


def copy_recipe(name: str, folder: Path) -> Path:
    """Copy a recipe's file into a folder, to edit and to train by its path. An existing file is not replaced."""
    read_recipe(name)
    source = recipe_file(name)
    if source is None:
        raise InputError(f"{name} has no file to copy")
    target = folder / source.name
    text = source.read_text(encoding="utf-8").replace(f"mien train {name} ", f"mien train {target} ")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{target} exists already; choose another folder, or remove it") from None
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error
    return target


def _from_file(path: Path) -> object:
    if not path.is_file():
        raise InputError(f"{path} is no file; mien recipes list names the recipes of the package")
    with _importing_from(path.resolve().parent):
        try:
            return runpy.run_path(str(path)).get("RECIPE")
        except MienError as error:
            raise InputError(f"{path}{_line(error, path)}: {error}") from error
        except (Exception, SystemExit) as error:
            raise InputError(f"{path}{_line(error, path)} stops with {type(error).__name__}: {error}") from error


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Files of a folder can be imported, as `python FILE` lets them; afterwards nothing of it is left."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
                del sys.modules[name]


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it happened."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""
