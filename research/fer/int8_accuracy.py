"""What the int8 form of weights costs in accuracy, on the five sources of the suite.

    python -m research.fer.int8_accuracy default --logits logits/default.npz --suite suite

Writes the table of docs/performance.md, for other weights that of their card. Both forms read the same aligned
faces, without those that calibrated the ranges of int8. Intervals of the change: 95 %, 1,000 paired bootstrap
resamples of people, films or images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mien.metrics import balanced_accuracy, bootstrap
from mien.nn.onnx_session import open_session
from mien.weights.manifest import INT8
from research.fer.measure import BATCH, Measured
from research.fer.report import ROOT, SHORT, insert, percent, rows_of
from research.fer.suite import SUITE, load
from research.int8 import calibrating


def in_int8(measured: Measured) -> Measured:
    """The five sources by the int8 file, in one pass."""
    manifest = measured.manifest
    session = open_session(manifest.file(INT8), threads=1)
    logits = {}
    for name in SUITE:
        images = load(measured.suite, name).images
        parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        logits[f"{name} one"] = np.concatenate(
            [session.run(None, {"faces": manifest.inputs.normalise(part)})[0] for part in parts]
        )
    return Measured(manifest=manifest, logits=logits, suite=measured.suite)


def table_of(single: Measured, int8: Measured) -> list[list[str]]:
    """Accuracy and balanced accuracy of both forms, source by source and in the mean."""
    manifest = single.manifest
    bias = np.array(manifest.priors["default"])
    table = [["images", "faces", "float32: accuracy", "balanced", "int8: accuracy", "balanced",
              "change in accuracy", "same prediction"]]  # fmt: skip
    means = []
    for name in SUITE:
        kept = np.ones(len(load(single.suite, name)), bool)
        kept[calibrating(len(kept))] = False
        forms = [measured.labelled(name, tta=False, rows=kept) for measured in (single, int8)]
        truth, clusters = forms[0].truth, forms[0].clusters
        predicted = [one.probabilities(manifest.temperature, bias).argmax(axis=1) for one in forms]
        right = [p == truth for p in predicted]
        change = bootstrap(
            lambda before, after, images: (after - before) / images,
            *right, np.ones(len(truth)), clusters=clusters, resamples=1000,
        )  # fmt: skip
        shares = [value for p, r in zip(predicted, right, strict=True)
                   for value in (float(r.mean()), balanced_accuracy(truth, p))]  # fmt: skip
        same = float((predicted[0] == predicted[1]).mean())
        means.append([*shares, same])
        table.append([
            SHORT[name], f"{len(truth):,}", *map(percent, shares),
            f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})", percent(same),
        ])  # fmt: skip
    *shares, same = np.mean(means, axis=0)
    table.append(["mean", "", *map(percent, shares), f"{100 * (shares[2] - shares[0]):+.1f}", percent(same)])
    return table


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    single = Measured.of(options.weights, options.logits, options.suite)
    table = rows_of(table_of(single, in_int8(single)))
    page = ROOT / ("docs/performance.md" if options.weights == "default" else f"docs/models/{options.weights}.md")
    insert(page, "research/fer/int8_accuracy.py", table)
    print(table)


if __name__ == "__main__":
    main()
