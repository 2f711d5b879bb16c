"""The mean of the weights of several runs that began at the same place: one network, as fast as each of them.

    python -m research.default.model_soup --runs runs/a runs/b --shares 0.5 0.5 --out runs/mean
    python -m research.default.export --run runs/mean --ferplus ferplus.zip --name mine

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (2022). Means and variances of batch norms are averaged like weights. A run is a folder of
`mien train`, or the name of shipped weights.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mien.errors import OptionError
from mien.weights.fill import empty_network, load_network
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, load_manifest, write_manifest
from mien.weights.verify import torch_answer


def manifest_of(run: str) -> WeightsManifest:
    """Of a run's folder or of shipped weights."""
    return load_manifest(str(Path(run) / "weights") if (Path(run) / "weights").is_dir() else run)


def average(manifests: list[WeightsManifest], shares: list[float]) -> dict[str, torch.Tensor]:
    """The shares' mean of every tensor; counters are the first one's. Refuses networks that differ."""
    first = manifests[0]
    for other in manifests[1:]:
        if (other.network, other.config, other.inputs) != (first.network, first.config, first.inputs):
            raise OptionError(f"{other.path} is another network than {first.path}, or sees other images")
    states = [load_network(str(manifest.folder)).state_dict() for manifest in manifests]
    return {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--shares", nargs="+", type=float, help="summing to 1; else equal")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shares = options.shares or [1 / len(options.runs)] * len(options.runs)
    if len(shares) != len(options.runs) or abs(sum(shares) - 1) > 1e-6:
        parser.error(f"--shares are {len(options.runs)} numbers that sum to 1, not {shares}")

    manifests = [manifest_of(run) for run in options.runs]
    state = average(manifests, shares)
    network = empty_network(manifests[0])
    network.load_state_dict(state)
    folder = options.out / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "weights.safetensors")
    parts = ", ".join(f"{share:g} {Path(run).name}" for share, run in zip(shares, options.runs, strict=True))
    write_manifest(
        replace(
            manifests[0],
            name=options.out.name,
            files={"weights.safetensors": ""},
            source=f"mean of the weights of runs: {parts}",
            priors={"default": (0.0,) * len(manifests[0].label_set)},
            temperature=1.0,
            confidence_thresholds={},
            measured={},
            golden=Golden.of(torch_answer(network.eval(), manifests[0].inputs)),
            folder=folder,
        )
    )


if __name__ == "__main__":
    main()
