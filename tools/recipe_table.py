"""Write the table of docs/reference/recipes.md from the recipes themselves.

python tools/recipe_table.py
"""

from __future__ import annotations

from pathlib import Path

from mien import recipes
from mien.training.recipe import Recipe, read_recipe

FOLDER = Path(recipes.__file__).parent
PAGE = Path(__file__).parents[1] / "docs/reference/recipes.md"
START, END = "<!-- made by tools/recipe_table.py -->\n", "<!-- end -->\n"


def main() -> None:
    PAGE.write_text(fresh(), encoding="utf-8")


def fresh() -> str:
    """The page with the table as the recipes are now."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    lines = ["| recipe | paper | published | measured |", "|---|---|---:|---|"]
    lines += [_row(path, read_recipe(path)) for path in sorted(FOLDER.glob("*/[a-z]*.py")) if path.stem != "shared"]
    return before + START + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2]


def _row(path: Path, recipe: Recipe) -> str:
    name = f"{path.parent.name}/{path.stem}"
    published = "-" if recipe.paper_accuracy is None else f"{100 * recipe.paper_accuracy:.2f} %"
    return f"| `{name}` | {recipe.paper} | {published} | {recipe.measured} |"


if __name__ == "__main__":
    main()
