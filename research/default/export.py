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
from mien.labels import FERPLUS
from mien.metrics import balanced_accuracy
from mien.pipeline.classifier import calibrated
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest
from research.default.calibrate import logits_of
from research.held_out import ferplus_validation, first_half
from research.ship import ship

STRENGTHS = np.linspace(-0.6, 1.2, 37)  # of the prior: k
WITHIN = 0.01  # of the best accuracy, for "default"


def operating_points(logits: np.ndarray, truth: np.ndarray) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Temperature and priors for logits (N, 8)."""
    train = dataset_info("ferplus").published()["train"]
    counts = np.array([train[label] for label in FERPLUS])
    log_frequency = np.log(counts / counts.sum())
    predicted = {k: (logits - k * log_frequency).argmax(axis=1) for k in STRENGTHS}
    accuracy = {k: float((classes == truth).mean()) for k, classes in predicted.items()}
    balanced = {k: balanced_accuracy(truth, classes) for k, classes in predicted.items()}
    near = [k for k in STRENGTHS if accuracy[k] >= max(accuracy.values()) - WITHIN]
    chosen = {
        "default": max(near, key=lambda k: balanced[k]),
        "natural": max(STRENGTHS, key=lambda k: accuracy[k]),
        "balanced": max(STRENGTHS, key=lambda k: balanced[k]),
    }
    for name, k in chosen.items():
        print(f"{name:9s} k = {k:+.2f}: accuracy {accuracy[k]:.4f}, balanced accuracy {balanced[k]:.4f}")
    bias = {name: -k * log_frequency for name, k in chosen.items()}

    def log_loss(temperature: float) -> float:
        probabilities = calibrated(logits, temperature, bias["default"] / temperature)
        return float(-np.log(probabilities[np.arange(len(logits)), truth]).mean())

    temperature = round(float(min(np.geomspace(0.3, 3, 200), key=log_loss)), 4)
    print(f"temperature {temperature:.3f}: log loss {log_loss(1.0):.4f} -> {log_loss(temperature):.4f}")
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
    temperature, priors = operating_points(logits_of(manifest, chooses), chooses.truth)
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
