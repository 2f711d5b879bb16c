"""How often the five networks agree, and on what: how much of their error is that of one network.

    python -m research.fer.agreement --logits logits --suite suite

Writes the table of docs/models/comparison.md. Each network as it is shipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from research.fer.cost import PAGE
from research.fer.measure import Measured
from research.fer.report import NETWORKS, SHORT, insert, percent, rows_of


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    networks = [Measured.of(weights, options.logits / f"{weights}.npz", options.suite) for weights in NETWORKS]
    table = [["images", "faces", "all agree", "on the label", "on another class", "at least one has the label"]]
    for name, title in SHORT.items():
        truth = networks[0].labelled(name, tta=False).truth
        predictions = np.stack([network.predicted(name) for network in networks])
        right, agree = predictions == truth, (predictions == predictions[0]).all(axis=0)
        shares = (agree, agree & right[0], agree & ~right[0], right.any(axis=0))
        table.append([title, f"{len(truth):,}", *(percent(share.mean()) for share in shares)])
    insert(PAGE, "research/fer/agreement.py", rows_of(table))
    print(rows_of(table))


if __name__ == "__main__":
    main()
