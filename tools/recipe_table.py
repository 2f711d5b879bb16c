"""Write the table of recipes/README.md from the recipes themselves.

python tools/recipe_table.py
"""

from __future__ import annotations

from pathlib import Path

from mien.train.recipe import Recipe, read_recipe

FOLDER = Path(__file__).parents[1] / "recipes"
START, END = "<!-- made by tools/recipe_table.py -->\n", "<!-- end -->\n"


def main() -> None:
    (FOLDER / "README.md").write_text(fresh(), encoding="utf-8")


def fresh() -> str:
    """The page with the table as the recipes are now."""
    before, _, rest = (FOLDER / "README.md").read_text(encoding="utf-8").partition(START)
    lines = ["| recipe | paper | published | measured |", "|---|---|---:|---|"]
    lines += [_row(path, read_recipe(path)) for path in sorted(FOLDER.glob("*/[a-z]*.py"))]
    return before + START + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2]


def _row(path: Path, recipe: Recipe) -> str:
    name = path.relative_to(FOLDER)
    published = "-" if recipe.published is None else f"{100 * recipe.published:.2f} %"
    return f"| [{name}]({name}) | {recipe.paper} | {published} | {recipe.measured} |"


if __name__ == "__main__":
    main()
