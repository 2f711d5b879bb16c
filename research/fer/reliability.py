"""How often a prediction of a given probability is right, source by source.

    python -m research.fer.reliability --logits logits/default.npz --suite suite

Writes the table of docs/concepts/quality.md, of the weights `default` as they are shipped. Of the sources that
chose temperature and operating points only the half that chose nothing counts.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from mien.evaluation.calibration import first_half
from research.fer.measure import Measured
from research.fer.report import ROOT, SHORT, insert, rows_of
from research.fer.suite import FEW, SUITE

PAGE = ROOT / "docs/concepts/quality.md"
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def right_by_probability(measured: Measured, name: str) -> list[str]:
    """Of each bin the percentage of right predictions, and how many there are; empty for fewer than `FEW`."""
    manifest = measured.manifest
    one = measured.labelled(name, tta=manifest.tta)
    if name in SUITE:
        one = one.take(~first_half(one.clusters))
    probabilities = one.probabilities(manifest.temperature, np.array(manifest.priors["default"]))
    right, top = probabilities.argmax(axis=1) == one.truth, probabilities.max(axis=1)
    bins = np.digitize(top, EDGES[1:-1])
    chosen = [right[bins == i] for i in range(len(EDGES) - 1)]
    return [f"{100 * one.mean():.0f} ({len(one):,})" if len(one) >= FEW else "" for one in chosen]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    measured = Measured.of("default", options.logits, options.suite)
    bins = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in pairwise(EDGES)]
    table = [["probability", f"below {100 * EDGES[1]:.0f} %", *bins[1:]]]
    table += [[title, *right_by_probability(measured, name)] for name, title in SHORT.items()]
    insert(PAGE, "research/fer/reliability.py", rows_of(table))
    print(rows_of(table))


if __name__ == "__main__":
    main()
