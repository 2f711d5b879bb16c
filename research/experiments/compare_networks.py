"""The table of the comparison: every network of recipes/comparison on FER+ validation, with intervals and cost.

    python -m research.experiments.compare_networks --ferplus ferplus.zip --runs runs

Reads runs/comparison-NETWORK-SEED/weights, one or more seeds each, and writes the table of
docs/models/comparison.md. Images as prediction sees them with `--crops`, without those that repeat one of
training. Plain network output, no horizontally flipped image, no priors. Metrics are means over the seeds; intervals, 95 %, draw
images 1,000 times, and differences to the plain backbone are paired. The cost is CPU time of one thread, a face at a
time, of the folded networks in turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from mien.nn.fold import folded
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest
from research.held_out import aligned, ferplus_validation, without_repeats

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from timing import in_turns

PAGE = Path(__file__).parents[1] / "docs/models/comparison.md"
START, END = "<!-- made by research/experiments/compare_networks.py -->\n", "<!-- end -->\n"
NETWORKS = {
    "plain": "plain backbone",
    "apvit": "APViT",
    "phanet": "PhaNet",
    "poster": "POSTER",
    "poster_v2": "POSTER++",
}
DRAWS = 1000


@torch.inference_mode()
def answers(network: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    """The most probable classes (N,)."""
    return torch.cat([network(part).argmax(dim=1) for part in x.split(128)]).numpy()


def figures(hits: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and balanced accuracy (D,) of draws: counts of hits and of images per class (D, K)."""
    shown = truth > 0
    recall = np.where(shown, hits / np.where(shown, truth, 1), 0).sum(axis=1) / shown.sum(axis=1)
    return hits.sum(axis=1) / truth.sum(axis=1), recall


def of_draws(right: np.ndarray, truth: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and balanced accuracy (D,) of `right` (N,), the mean over seeds of being right, in draws (D, N)."""
    classes = np.eye(truth.max() + 1)[truth]  # (N, K)
    return figures(draws @ (classes * right[:, None]), draws @ classes)


def row(title: str, folders: list[Path], right: np.ndarray, plain: np.ndarray, truth: np.ndarray) -> list[str]:
    """Cells of one network."""
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=DRAWS).astype(float)
    once = np.ones((1, len(truth)))
    cells = [title, str(len(folders))]
    points, drawn, of_plain = (of_draws(*args) for args in
                               ((right, truth, once), (right, truth, draws), (plain, truth, draws)))  # fmt: skip
    base = of_draws(plain, truth, once)
    for now, many in zip(points, drawn, strict=True):
        low, high = np.percentile(many, [2.5, 97.5])
        cells.append(f"{now[0]:.1%} ({low:.1%} to {high:.1%})")
    for now, before, many, many_before in zip(points, base, drawn, of_plain, strict=True):
        low, high = np.percentile(many - many_before, [2.5, 97.5])
        same = right is plain
        cells.append("" if same else f"{100 * (now - before)[0]:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)

    found = {name: sorted(options.runs.glob(f"comparison-{name}-*/weights")) for name in NETWORKS}
    inputs = load_manifest(str(found["plain"][0])).inputs
    kept = ferplus_validation(options.ferplus)
    alone = without_repeats(kept, options.ferplus)
    x, truth = torch.from_numpy(inputs.normalise(aligned(kept, inputs)[alone])), kept.truth[alone]
    right, calls, parameters, spread = {}, {}, {}, {}
    for name, folders in found.items():
        hits = []
        for folder in folders:
            network = folded(load_network(str(folder)).eval())
            hits.append(answers(network, x) == truth)
        right[name] = np.mean(hits, axis=0)
        spread[name] = [float(one.mean()) for one in hits]
        parameters[name] = sum(value.numel() for value in load_network(str(found[name][0])).parameters())
        calls[name] = lambda network=network: network(x[:1])
    with torch.inference_mode():
        cost = in_turns(calls, rounds=30, clock=time.process_time)
    header = [
        "network", "seeds", "accuracy", "balanced accuracy", "accuracy to plain", "recall to plain",
        "accuracy of each seed", "parameters", "ms a face",
    ]  # fmt: skip
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name, title in NETWORKS.items():
        cells = row(title, found[name], right[name], right["plain"], truth)
        cells += [", ".join(f"{one:.1%}" for one in spread[name])]
        cells += [f"{parameters[name] / 1e6:.1f} M", f"{cost[name]:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    made = "\n".join(lines)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}\n{made}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
