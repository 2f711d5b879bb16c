"""`mien recipes`: the recipes of the package."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import recipe_names

recipes_app = typer.Typer(help="Recipes of the package: list, show, copy.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        help="Name (mien recipes list), Python file or import path of a recipe.", autocompletion=recipe_names
    ),
]


@recipes_app.command("list")
def recipes_list() -> None:
    """List all recipes, with data set and accuracy in the paper."""
    from rich.console import Console
    from rich.table import Table

    from mien import plugins
    from mien.training.recipe_source import read_recipe, shipped_recipes

    table = Table("recipe", "network", "data set", "accuracy in the paper", box=None, pad_edge=False)
    for name in plugins.names("recipe", shipped_recipes()):
        recipe = read_recipe(name)
        paper = "-" if recipe.paper_accuracy is None else f"{recipe.paper_accuracy:.2%}"
        data = " ".join(filter(None, (recipe.data, recipe.variant))) or "any"
        table.add_row(name, recipe.network, data, paper)
    Console().print(table)


@recipes_app.command("show")
def recipes_show(name: Name) -> None:
    """Print every field with its value and meaning; mien train --set changes them by name."""
    from mien.training.recipe import Recipe
    from mien.training.recipe_source import read_recipe, recipe_file
    from mien.training.settings import field_docs, flat

    recipe, file = read_recipe(name), recipe_file(name)
    docs = field_docs(Recipe)
    if file is not None:
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        typer.echo(f"{file}\n\n{about}\n")
    for field, value in flat(recipe).items():
        line = f"{field} = {value!r}"
        typer.echo(f"{line:<48}  # {docs[field]}" if docs.get(field) else line)


@recipes_app.command("copy")
def recipes_copy(
    name: Name, folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the copy.")]
) -> None:
    """Copy a recipe to edit; mien train takes the path of the copy."""
    from mien.training.recipe_source import copy_recipe

    file = copy_recipe(name, folder)
    typer.echo(f"{file}: edit it, then mien train {file} --data PREPARED --out RUN")
