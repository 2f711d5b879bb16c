"""Choose the operating points of a finished run and put it into the package.

    python -m research.default.export --run runs/mine --ferplus ferplus.zip --name mine

Operating points are priors: biases -k log f_c on the logits, f_c the frequency of class c in FER+ training.
    natural   the k with the best accuracy
    balanced  the k with the best balanced accuracy
    default   the best balanced accuracy within one point of the best accuracy
The temperature minimises the log loss under "default". Logits are those of prediction without detection, with
test-time augmentation. Everything is chosen on the first half of FER+ validation, deduplicated.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.datasets import dataset_info
from mien.evaluation import calibration
from mien.evaluation.calibration import LabelledLogits, first_half
from mien.labels import FERPLUS
from mien.metrics import balanced_accuracy
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest
from research.default.calibrate import logits_of
from research.held_out import ferplus_validation
from research.ship import ship


def operating_points(chooses: LabelledLogits) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Temperature and priors."""
    train = dataset_info("ferplus").published()["train"]
    counts = np.array([train[label] for label in FERPLUS])
    strengths = calibration.operating_points([chooses], counts)
    for name, k in strengths.items():
        predicted = (chooses.logits + calibration.prior(counts, k)).argmax(axis=1)
        print(f"{name:9s} k = {k:+.2f}: accuracy {(predicted == chooses.truth).mean():.4f}, "
              f"balanced accuracy {balanced_accuracy(chooses.truth, predicted):.4f}")  # fmt: skip
    bias = {name: calibration.prior(counts, k) for name, k in strengths.items()}
    temperature = calibration.best_temperature([chooses], bias["default"])
    print(f"temperature {temperature:.3f}")
    return temperature, {
        name: tuple(round(float(value), 4) for value in values / temperature) for name, values in bias.items()
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", default="", help="where the weights come from; else as the run says")
    parser.add_argument("--out", type=Path, help="folder; else the package")
    options = parser.parse_args(arguments)
    manifest = replace(load_manifest(str(options.run / "weights")), tta=True)
    held_out = ferplus_validation(options.ferplus, deduplicated=True)
    chooses = held_out.take(first_half(held_out.clusters))
    temperature, priors = operating_points(
        LabelledLogits(
            title=chooses.title,
            logits=logits_of(manifest, chooses),
            truth=chooses.truth,
            clusters=chooses.clusters,
        )
    )
    shipped = replace(
        manifest,
        name=options.name,
        temperature=temperature,
        priors=priors,
        licence="Apache-2.0",
        source=options.source or manifest.source,
        measured={},
    )
    ship(shipped, load_network(manifest.folder).state_dict(), output="logits", out=options.out)


if __name__ == "__main__":
    main()
