"""Write the cards of all data sets from their infos: docs/datasets/NAME.md and the table in README.md.

    python tools/data_cards.py

What stands above the line MARK in a card is generated and replaced; what people write below it is kept. A file
without that line is all handwriting: the generated part is put above it.
"""

from __future__ import annotations

from pathlib import Path

from mien.datasets import DATASETS, dataset_info
from mien.datasets.audit.card import card, class_counts, facts, short_licence, sizes

FOLDER = Path(__file__).parents[1] / "docs" / "datasets"
MARK = "<!-- Above: made by tools/data_cards.py from the dataset's info. Below: written by hand. -->"


def main() -> None:
    for name, text in fresh().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def fresh() -> dict[str, str]:
    """File name -> what it must hold now, its handwriting included."""
    made = {f"{name}.md": card(dataset_info(name)) for name in DATASETS}
    made["README.md"] = overview()
    return {name: f"{text}\n{MARK}\n{handwritten(FOLDER / name)}" for name, text in made.items()}


def handwritten(path: Path) -> str:
    """What people wrote into a card; "" where there is none."""
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    below = text.partition(MARK)[2] if MARK in text else text
    return f"\n{below.strip()}\n" if below.strip() else ""


def overview() -> str:
    """The table of all sets."""
    lines = [
        "# Data sets",
        "",
        "`mien` reads these as their authors publish them, unpacked or as a .zip, with nothing renamed. It brings",
        "no images: each card says where a set comes from. [How to check yours](../how-to/check-data.md).",
        "",
        "| set | name | classes | published images | states | protocol | licence |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in DATASETS:
        info = dataset_info(name)
        cells = [
            f"[{info.title}]({name}.md)",
            f"`{name}`",
            class_counts(info),
            ", ".join(sizes(info)),
            ", ".join(facts(info)),
            info.protocol,
            short_licence(info),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
