"""Accuracy against cost of the five networks, in one pass and with test-time augmentation.

    python -m research.fer.cost --logits logits --suite suite

Writes the table of docs/models/comparison.md from `logits/NAME.npz` (`research.fer.measure`). The operating point
of each row is chosen as in `research.fer.calibrate`. The cost is CPU time of the ONNX file on one thread, eight
faces a batch, networks in turns, the best of ten: on a shared machine the ratios mean more than the milliseconds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.evaluation.calibration import first_half, prior
from mien.metrics import balanced_accuracy
from mien.nn.onnx_session import open_session
from mien.weights.manifest import load_manifest
from research.fer.calibrate import WITHIN, frequencies, operating_points
from research.fer.measure import Measured
from research.fer.report import NETWORKS, ROOT, insert, rows_of
from research.fer.suite import SUITE, load

PAGE = ROOT / "docs/models/comparison.md"
BATCH, TURNS = 8, 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network in one or two passes; means over the five sources, 0..1."""

    weights: str
    tta: bool
    accuracy: float
    balanced: float
    ferplus: float  # accuracy
    half_balanced: float  # on the evaluation halves
    seconds: float  # a face


def cost_of(names: list[str], suite: Path) -> dict[str, float]:
    """CPU seconds of one pass over one face."""
    sessions = {name: open_session(load_manifest(name).file(".onnx"), threads=1) for name in names}
    faces = load_manifest(names[0]).inputs.normalise(load(suite, "cfee").images[:BATCH])
    best = dict.fromkeys(names, float("inf"))
    for _ in range(TURNS):
        for name, session in sessions.items():
            began = time.process_time()
            session.run(None, {"faces": faces})
            best[name] = min(best[name], (time.process_time() - began) / BATCH)
    return best


def row(measured: Measured, *, tta: bool, within: float, seconds: float) -> Row:
    """Means over the sources at the operating point that their first halves choose."""
    sets = [measured.labelled(name, tta=tta) for name in SUITE]
    point = operating_points([one.take(first_half(one.clusters)) for one in sets], within)["default"]
    bias = prior(frequencies(), point.strength)
    predicted = [(one.restricted + bias).argmax(axis=1) for one in sets]
    right = [float((p == one.truth).mean()) for p, one in zip(predicted, sets, strict=True)]
    others = [~first_half(one.clusters) for one in sets]
    return Row(
        weights=measured.manifest.name,
        tta=tta,
        accuracy=float(np.mean(right)),
        balanced=float(np.mean([balanced_accuracy(one.truth, p) for p, one in zip(predicted, sets, strict=True)])),
        ferplus=right[0],
        half_balanced=float(
            np.mean(
                [
                    balanced_accuracy(one.truth[half], p[half])
                    for p, one, half in zip(predicted, sets, others, strict=True)
                ]
            )
        ),
        seconds=(1 + tta) * seconds,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    seconds = cost_of(list(NETWORKS), options.suite)
    rows = [
        row(
            Measured.of(name, options.logits / f"{name}.npz", options.suite),
            tta=tta,
            within=WITHIN,
            seconds=seconds[name],
        )
        for name in NETWORKS
        for tta in (False, True)
    ]
    least = rows[0].seconds
    table = [["network", "passes", "mean accuracy", "mean balanced accuracy", "evaluation half",
              "FER+ accuracy", "ms a face", "cost"]]  # fmt: skip
    for each in rows:
        table.append([NETWORKS[each.weights], "2" if each.tta else "1", f"{100 * each.accuracy:.1f}",
                      f"{100 * each.balanced:.1f}", f"{100 * each.half_balanced:.1f}", f"{100 * each.ferplus:.1f}",
                      f"{1000 * each.seconds:.1f}", f"{each.seconds / least:.2f}"])  # fmt: skip
    insert(PAGE, "research/fer/cost.py", rows_of(table))
    print(rows_of(table))


if __name__ == "__main__":
    main()
