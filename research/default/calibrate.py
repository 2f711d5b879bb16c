"""Check the calibration of expression weights, and choose the confidence thresholds of certain predictions.

    python -m research.default.calibrate --ferplus ferplus.zip --muxspace muxspace.zip --manifest

For each operating point (`--priors`) of the manifest: the lowest threshold, in hundredths, at which selective
accuracy reaches 90 %, chosen on the first half of FER+ validation, deduplicated, and measured on the other half and
on the muxspace people. Temperature and priors were chosen on the same first half. `--manifest` writes the
thresholds with what was measured into the manifest.

Printed besides: expected calibration error (ECE, 15 bins) and log loss on the other half before and after a further
temperature that the first half chooses, with classes as frequent as in the set and with equal weight; for each
class its mean probability, its share, and confidence and precision where it is predicted. Intervals: 95 %, 1,000
bootstrap resamples of people (muxspace) or images (FER+), seed 0.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.errors import OptionError
from mien.evaluation.calibration import first_half, lowest_threshold, selective_metrics
from mien.labels import FERPLUS
from mien.media.atomic import atomic_open
from mien.metrics import BINS, classification_metrics
from mien.pipeline.classifier import ExpressionNetwork, calibrated
from mien.weights.manifest import ConfidenceThreshold, WeightsManifest, load_manifest, write_manifest
from research.held_out import HeldOutSet, aligned, ferplus_validation, muxspace_people

ACCURACIES = (0.90, 0.95)  # selective; the first one's thresholds go into the manifest
COMMAND = (
    "python -m research.default.calibrate --ferplus ferplus.zip --muxspace muxspace.zip --weights {} --manifest"
)
RULE = f"lowest threshold with a selective accuracy of {ACCURACIES[0]:.0%} on one half of FER+ validation"
BATCH = 64


def logits_of(manifest: WeightsManifest, held_out: HeldOutSet) -> np.ndarray:
    """Logits (N, 8) as prediction without detection has them, before temperature and priors."""
    network, crops = ExpressionNetwork(manifest, threads=1), aligned(held_out, manifest.inputs)
    return np.concatenate([network.logits(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)])


def weighted_calibration(
    probabilities: np.ndarray, truth: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:  # fmt: skip
    """ECE and log loss of images (N,) that weigh differently."""
    confidence = probabilities.max(axis=1)
    gap = weight * ((probabilities.argmax(axis=1) == truth) - confidence)
    sums = np.bincount(np.minimum((confidence * BINS).astype(int), BINS - 1), gap, BINS)
    loss = -np.log(probabilities[np.arange(len(truth)), truth])
    return float(np.abs(sums).sum() / weight.sum()), float((weight * loss).sum() / weight.sum())


def percent(share: float | None, interval: list[float] | None = None) -> str:
    """A share for people."""
    if share is None:
        return "none"
    return f"{share:.1%}" + (f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else "")


def print_calibration(scaled: np.ndarray, truth: np.ndarray, chooses: np.ndarray) -> None:
    """ECE and log loss of logits (N, 8) on the other half, before and after a further temperature."""
    equal = 1 / np.bincount(truth, minlength=len(FERPLUS)).clip(1)[truth]
    for title, weight in (("as frequent as in the set", np.ones(len(truth))), ("classes weigh the same", equal)):

        def measure(rows: np.ndarray, temperature: float, weight: np.ndarray = weight) -> tuple[float, float]:
            return weighted_calibration(
                calibrated(scaled[rows], temperature, np.zeros(1)), truth[rows], weight[rows]
            )

        best = float(min(np.geomspace(0.5, 2.0, 140), key=lambda t: measure(chooses, t)[1]))
        (ece, loss), (ece_after, loss_after) = measure(~chooses, 1.0), measure(~chooses, best)
        print(f"  {title}: ECE {ece:.2%}, log loss {loss:.4f}; "
              f"temperature times {best:.2f}: {ece_after:.2%}, {loss_after:.4f}")  # fmt: skip


def print_classes(probabilities: np.ndarray, truth: np.ndarray) -> None:
    """Mean probability and share of each class, and confidence and precision where it is predicted."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for k, label in enumerate(FERPLUS):
        at = predicted == k
        where = f"{confidence[at].mean():.1%}, precision {(truth[at] == k).mean():.1%}" if at.any() else "-"
        print(f"  {label:10s} probability {probabilities[:, k].mean():6.2%}, share {(truth == k).mean():6.2%}; "
              f"predicted {at.sum():4d} times at {where}")  # fmt: skip


def stored_logits(
    manifest: WeightsManifest, sets: dict[str, HeldOutSet], file: Path | None
) -> dict[str, np.ndarray]:  # fmt: skip
    """Logits of each set, kept in a file if one is named."""
    if file and file.exists():
        with np.load(file) as arrays:
            if str(arrays["weights"]) != manifest.identity:
                raise OptionError(f"{file} holds the logits of other weights; name another file")
            return {name: arrays[name] for name in sets}
    logits = {name: logits_of(manifest, held_out) for name, held_out in sets.items()}
    if file:
        with atomic_open(file) as stream:
            np.savez(stream, allow_pickle=False, weights=np.array(manifest.identity), **logits)
    return logits


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--logits", type=Path, help="keep the logits in this .npz, or take them from it")
    parser.add_argument("--manifest", action="store_true", help="write the thresholds into the manifest")
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.weights)
    if manifest.label_set != FERPLUS:
        raise OptionError(
            f"weights {manifest.name!r} have other classes than FER+: {', '.join(manifest.label_set)}"
        )
    ferplus, people = ferplus_validation(options.ferplus, deduplicated=True), muxspace_people(options.muxspace)
    logits = stored_logits(manifest, {"ferplus": ferplus, "muxspace": people}, options.logits)
    chooses = first_half(ferplus.clusters)
    other = ferplus.take(~chooses)
    print(f"weights {manifest.name} {manifest.identity}; FER+ validation, deduplicated: "
          f"{len(ferplus)} images, {chooses.sum()} choose")  # fmt: skip
    thresholds = {}
    for priors, bias in manifest.priors.items():
        print(f"\n{priors}")
        scaled = logits["ferplus"] / manifest.temperature + np.array(bias)
        print_calibration(scaled, ferplus.truth, chooses)
        probabilities = calibrated(scaled, 1.0, np.zeros(1))
        of_people = calibrated(logits["muxspace"], manifest.temperature, np.array(bias))
        metrics = classification_metrics(people.truth, of_people)
        print(f"  muxspace people: ECE {metrics.ece:.2%}, log loss {metrics.log_loss:.4f}")
        print_classes(probabilities[~chooses], other.truth)
        for accuracy in ACCURACIES:
            threshold = lowest_threshold(probabilities[chooses], ferplus.truth[chooses], accuracy)
            measured = {
                "FER+ validation, other half": selective_metrics(
                    threshold, probabilities[~chooses], other.truth, other.clusters
                ),
                "muxspace people": selective_metrics(threshold, of_people, people.truth, people.clusters),
            }
            for title, values in measured.items():
                selective = percent(values["accuracy"], values["interval_95"].get("accuracy"))
                print(f"  {accuracy:.0%} from {threshold:.2f}, {title}: coverage {percent(values['coverage'])}, "
                      f"accuracy {selective}, below the threshold "
                      f"{percent(values['accuracy_below_threshold'])}")  # fmt: skip
            if accuracy == ACCURACIES[0]:
                command = COMMAND.format(manifest.name)
                thresholds[priors] = ConfidenceThreshold(
                    threshold=threshold, rule=RULE, measured={"command": command} | measured
                )
    if options.manifest:
        write_manifest(replace(manifest, confidence_thresholds=thresholds))


if __name__ == "__main__":
    main()
