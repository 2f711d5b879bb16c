"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mien.errors import OptionError

WEIGHTS = "Name (mien weights list), a .safetensors file with its manifest, or a folder with a manifest.json."


def weights_names(incomplete: str) -> list[str]:
    """Shipped networks of expressions that begin like this, for the Tab key."""
    from mien.weights.manifest import load_manifest, shipped_names

    return [name for name in shipped_names() if name.startswith(incomplete) and load_manifest(name).labels]


def all_weights_names(incomplete: str) -> list[str]:
    """All shipped weights that begin like this, detectors and landmarks too."""
    from mien.weights.manifest import shipped_names

    return [name for name in shipped_names() if name.startswith(incomplete)]


def recipe_names(incomplete: str) -> list[str]:
    """Recipes of the package that begin like this."""
    from mien.training.recipe_source import shipped_recipes

    return [name for name in shipped_recipes() if name.startswith(incomplete)]


def set_names(incomplete: str) -> list[str]:
    """Data sets that begin like this."""
    from mien.datasets import dataset_names

    return [name for name in dataset_names() if name.startswith(incomplete)]


def refuse(given: Mapping[str, bool], reason: str) -> None:
    """Raises `OptionError` that names the options that were given although they do nothing here."""
    if names := [name for name, is_given in given.items() if is_given]:
        raise OptionError(f"{', '.join(names)}: {reason}")


Weights = Annotated[str, typer.Option(help=WEIGHTS, autocompletion=weights_names)]
Priors = Annotated[str, typer.Option(help="Class frequencies to assume: default, natural or balanced.")]
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta",
        help="Test-time augmentation (horizontal flip). Default: that of the weights.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start over instead of resuming.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file as JSON.")]
Table = Annotated[
    Path,
    typer.Argument(
        help="Table of mien predict --output: .parquet, .csv, .jsonl, .xlsx, or a folder of Parquet files.",
        show_default=False,
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="Use unsmoothed expressions of single frames.")]
Baseline = Annotated[
    list[str] | None,
    typer.Option(
        help="Changes from the resting face: auto (neutral stretches) or TRACK:FROM-TO in seconds; repeatable."
    ),
]
