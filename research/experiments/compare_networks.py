"""The table of the comparison: every network of the recipes `comparison/*` on FER+ validation, with cost.

    PYTHONPATH=benchmarks python -m research.experiments.compare_networks --ferplus ferplus.zip --runs runs

Reads runs/comparison-NETWORK-SEED/weights, one or more seeds each, and writes the table of
docs/models/comparison.md. Images as prediction without detection sees them, deduplicated; no test-time
augmentation, no priors. Metrics are means over the seeds; intervals: 95 %, 1,000 bootstrap resamples of images;
differences to the bare backbone are paired. The cost is CPU time of one thread per face, of the folded networks in
turns.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mien.metrics import bootstrap
from mien.metrics.resampling import Interval
from mien.nn.fold import folded
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest
from research.fer.report import insert
from research.held_out import aligned, ferplus_validation
from timing import in_turns

PAGE = Path(__file__).parents[2] / "docs/models/comparison.md"
NETWORKS = {
    "bare-backbone": "bare backbone",
    "apvit": "APViT",
    "phanet": "PhaNet",
    "poster": "POSTER",
    "poster-v2": "POSTER++",
}
HEADER = (
    "network", "seeds", "accuracy", "balanced accuracy", "accuracy to bare backbone",
    "balanced accuracy to bare backbone", "accuracy of each seed", "parameters", "ms a face",
)  # fmt: skip


@torch.inference_mode()
def predicted_classes(network: nn.Module, x: torch.Tensor) -> np.ndarray:
    """(N,)."""
    return torch.cat([network(part).argmax(dim=1) for part in x.split(128)]).numpy()


def accuracies(correct: np.ndarray, truth: np.ndarray) -> tuple[Interval, Interval]:
    """Accuracy and balanced accuracy, or their difference: `correct` (N,), the mean over seeds, or a difference."""
    shown = np.eye(truth.max() + 1)[truth]  # (N, K)
    columns = shown * correct[:, None], shown
    return (
        bootstrap(lambda right, images: right.sum(axis=1) / images.sum(axis=1), *columns, resamples=1000),
        bootstrap(lambda right, images: np.nanmean(right / images, axis=1), *columns, resamples=1000),
    )


def cells(correct: dict[str, np.ndarray], name: str, truth: np.ndarray) -> list[str]:
    """Both accuracies of a network and their differences to the bare backbone."""
    own = [f"{i.value:.1%} ({i.low:.1%} to {i.high:.1%})" for i in accuracies(correct[name].mean(axis=0), truth)]
    if name == "bare-backbone":
        return [*own, "", ""]
    gain = correct[name].mean(axis=0) - correct["bare-backbone"].mean(axis=0)
    differences = accuracies(gain, truth)
    return [*own, *(f"{100 * i.value:+.1f} ({100 * i.low:+.1f} to {100 * i.high:+.1f})" for i in differences)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folders = {name: sorted(options.runs.glob(f"comparison-{name}-[0-9]*/weights")) for name in NETWORKS}
    networks = {name: [folded(load_network(folder)) for folder in paths] for name, paths in folders.items()}
    inputs = load_manifest(str(folders["bare-backbone"][0])).inputs
    held_out = ferplus_validation(options.ferplus, deduplicated=True)
    x, truth = torch.from_numpy(inputs.normalise(aligned(held_out, inputs))), held_out.truth
    correct = {
        name: np.stack([predicted_classes(network, x) == truth for network in of_seeds])
        for name, of_seeds in networks.items()
    }  # (seeds, N)
    calls = {name: lambda network=of_seeds[0]: network(x[:1]) for name, of_seeds in networks.items()}
    with torch.inference_mode():
        cost = in_turns(calls, rounds=30, clock=time.process_time)
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for name, title in NETWORKS.items():
        parameters = sum(value.numel() for value in load_network(folders[name][0]).parameters())
        row = [title, str(len(correct[name])), *cells(correct, name, truth)]
        row += [", ".join(f"{accuracy:.1%}" for accuracy in correct[name].mean(axis=1))]
        lines.append("| " + " | ".join([*row, f"{parameters / 1e6:.1f} M", f"{cost[name]:.1f}"]) + " |")
    table = "\n".join(lines)
    insert(PAGE, "research/experiments/compare_networks.py", table + "\n")
    print(table)


if __name__ == "__main__":
    main()
