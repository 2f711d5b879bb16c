"""Accuracy of the five networks by the yaw of the head.

    python -m research.fer.by_yaw --logits logits --suite suite

Writes the table of docs/models/comparison.md. Yaw as the landmarks have it, without sign; each network as it is
shipped. Intervals of the difference to the bare backbone: 95 %, 1,000 paired bootstrap resamples of images or
people.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from mien.metrics import bootstrap
from research.fer.cost import PAGE
from research.fer.measure import Measured
from research.fer.report import NETWORKS, insert, rows_of
from research.fer.suite import load

BINS = {"wild7": (0, 10, 20, 35, 90), "kdef3": (0, 20, 90)}
TITLES = {"wild7": "wild7", "kdef3": "KDEF, three classes"}


def correct(measured: Measured, name: str) -> np.ndarray:
    """(N,) whether each face is recognised, by the weights as they are shipped."""
    right: np.ndarray = measured.predicted(name) == measured.labelled(name, tta=False).truth
    return right


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    networks = {
        weights: Measured.of(weights, options.logits / f"{weights}.npz", options.suite) for weights in NETWORKS
    }
    table = [["images", "yaw", "faces", *NETWORKS.values(), "PhaNet to bare backbone"]]
    for name, edges in BINS.items():
        right = {weights: correct(measured, name) for weights, measured in networks.items()}
        faces = load(options.suite, name)
        for low, high in itertools.pairwise(edges):
            rows = (np.abs(faces.yaw_deg) >= low) & (np.abs(faces.yaw_deg) < high)
            change = bootstrap(
                lambda first, second, images: (first - second) / images,
                right["phanet"][rows], right["default"][rows], np.ones(rows.sum()),
                clusters=faces.clusters[rows], resamples=1000,
            )  # fmt: skip
            table.append([
                TITLES[name], f"{low} to {high}°" if high < 90 else f"from {low}°", str(rows.sum()),
                *(f"{100 * each[rows].mean():.1f}" for each in right.values()),
                f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})",
            ])  # fmt: skip
    insert(PAGE, "research/fer/by_yaw.py", rows_of(table))
    print(rows_of(table))


if __name__ == "__main__":
    main()
