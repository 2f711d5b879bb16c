"""How often the five networks agree, and on what: how much of their error is that of one network.

    python -m research.fer.agreement --logits logits --suite suite

Writes the table of docs/models/comparison.md. Each network as it is shipped, one pass.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from research.fer.cost import PAGE
from research.fer.measure import Measured
from research.fer.report import NETWORKS, SHORT, percent, rows_of

START, END = "<!-- made by research/fer/agreement.py -->\n", "<!-- end -->\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    networks = [Measured.of(weights, options.logits / f"{weights}.npz", options.suite) for weights in NETWORKS]
    table = [["images", "faces", "all agree", "on the label", "on another class", "at least one has the label"]]
    for name, title in SHORT.items():
        predictions = []
        for network in networks:
            one, manifest = network.labelled(name, tta=False), network.manifest
            bias = np.array(manifest.priors["default"])
            predictions.append(one.probabilities(manifest.temperature, bias).argmax(axis=1))
        right = np.array(predictions) == one.truth
        agree = (np.array(predictions) == predictions[0]).all(axis=0)
        shares = (agree, agree & right[0], agree & ~right[0], right.any(axis=0))
        table.append([title, f"{len(one):,}", *(percent(share.mean()) for share in shares)])
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + "\n" + rows_of(table) + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    print(rows_of(table))


if __name__ == "__main__":
    main()
