"""Model soup: the weighted mean of the weights of several runs with the same start, as fast as one of them.

    python -m research.default.model_soup --runs runs/a runs/b --coefficients 0.5 0.5 --out runs/soup
    python -m research.default.export --run runs/soup --ferplus ferplus.zip --name mine

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (2022). Batch-norm statistics are averaged like weights. A run is a folder of `mien train`, or the
name of shipped weights.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mien.errors import OptionError
from mien.weights.fill import load_network
from mien.weights.manifest import WeightsManifest, load_manifest
from research.ship import write_tensors


def manifest_of(run: str) -> WeightsManifest:
    """Of a run's folder or of shipped weights."""
    return load_manifest(str(Path(run) / "weights") if (Path(run) / "weights").is_dir() else run)


def average(manifests: list[WeightsManifest], coefficients: list[float]) -> dict[str, Tensor]:
    """The weighted mean of every tensor; counters are those of the first. Refuses networks that differ."""
    first = manifests[0]
    for other in manifests[1:]:
        if (other.network, other.config, other.inputs) != (first.network, first.config, first.inputs):
            raise OptionError(f"{other.path} is another network than {first.path}, or has other inputs")
    states = [load_network(manifest.folder).state_dict() for manifest in manifests]
    return {
        name: torch.stack([c * state[name] for c, state in zip(coefficients, states, strict=True)]).sum(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--coefficients", nargs="+", type=float, help="summing to 1; else equal")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    coefficients = options.coefficients or [1 / len(options.runs)] * len(options.runs)
    if len(coefficients) != len(options.runs) or abs(sum(coefficients) - 1) > 1e-6:
        parser.error(f"--coefficients are {len(options.runs)} numbers that sum to 1, not {coefficients}")
    manifests = [manifest_of(run) for run in options.runs]
    parts = ", ".join(f"{c:g} {Path(run).name}" for c, run in zip(coefficients, options.runs, strict=True))
    soup = replace(
        manifests[0],
        name=options.out.name,
        source=f"model soup of the runs {parts}",
        priors={"default": (0.0,) * len(manifests[0].label_set)},
        temperature=1.0,
        confidence_thresholds={},
        measured={},
    )
    write_tensors(soup, average(manifests, coefficients), options.out / "weights")


if __name__ == "__main__":
    main()
