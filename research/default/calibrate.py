"""Check the probabilities of expression weights, and choose the confidence from which an answer is certain.

    python -m research.default.calibrate --ferplus ferplus.zip --muxspace muxspace.zip --manifest

For each operating point (`--priors`) of the manifest: the smallest threshold, in hundredths, from which on at least
90 % of the kept answers are right, chosen on one half of FER+ validation and measured on the other half and on the
muxspace people. Images that repeat one of the training part are left out. The temperature and the priors of the
package were chosen on all of FER+ validation; the muxspace people chose nothing. `--manifest` writes the thresholds
with what was measured into the manifest.

Printed besides: calibration error (15 bins of equal width) and log loss before and after a further temperature
that the first half chooses by log loss, under the frequencies of the set and with every class weighing the same;
for each class its mean probability, its share of the images and how often it is right where it is the answer.
Intervals: 95 %, 1,000 bootstrap draws of people (muxspace) or images (FER+), seed 0.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import OptionError
from mien.labels import FERPLUS, label_set
from mien.metrics.classification import BINS
from mien.pipeline.classifier import ExpressionNetwork, calibrated
from mien.weights.manifest import ConfidenceThreshold, WeightsManifest, load_manifest, write_manifest
from research.held_out import HeldOutSet, aligned, ferplus_validation, first_half, muxspace_people, without_repeats

ACCURACY = 0.90  # of the kept answers, on the half that chooses
ALSO = (0.95,)  # printed, not recorded
COMMAND = (
    "python -m research.default.calibrate --ferplus ferplus.zip --muxspace muxspace.zip --weights {} --manifest"
)
RULE = f"the smallest with {ACCURACY:.0%} of the kept answers right on one half of FER+ validation"
BATCH = 64


def logits_of(manifest: WeightsManifest, kept: HeldOutSet) -> np.ndarray:
    """What the network answers to every image as a face crop (N, 8), before temperature and priors."""
    network, crops = ExpressionNetwork(manifest, threads=1), aligned(kept, manifest.inputs)
    return np.concatenate([network.logits(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)])


def judged(probabilities: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Calibration error and log loss of weighted images."""
    confidence = probabilities.max(axis=1)
    gap = weight * ((probabilities.argmax(axis=1) == truth) - confidence)
    sums = np.bincount(np.minimum((confidence * BINS).astype(int), BINS - 1), gap, BINS)
    loss = -np.log(probabilities[np.arange(len(truth)), truth])
    return float(np.abs(sums).sum() / weight.sum()), float((weight * loss).sum() / weight.sum())


def threshold(probabilities: np.ndarray, truth: np.ndarray, accuracy: float) -> float:
    """The smallest number of hundredths from which on so many answers are right; 1 where there is none."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    for step in range(101):
        kept = confidence >= step / 100
        if kept.any() and right[kept].mean() >= accuracy:
            return step / 100
    return 1.0


def kept_above(least: float, probabilities: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """What a threshold does: share and accuracy of the kept answers, with intervals, and accuracy of the others."""
    kept = probabilities.max(axis=1) >= least
    right = probabilities.argmax(axis=1) == truth
    _, unit = np.unique(groups, return_inverse=True)
    count = int(unit.max()) + 1
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=1000)
    shown, answered, hit = (draws @ np.bincount(unit, of, count) for of in (kept | ~kept, kept, kept & right))
    drawn = {"coverage": answered / shown, "accuracy": hit[answered > 0] / answered[answered > 0]}
    return {
        "images": len(truth),
        "coverage": round(float(kept.mean()), 4),
        "accuracy": round(float(right[kept].mean()), 4) if kept.any() else None,
        "accuracy of the others": round(float(right[~kept].mean()), 4) if not kept.all() else None,
        "interval_95": {
            name: [round(float(end), 4) for end in np.percentile(values, [2.5, 97.5])]
            for name, values in drawn.items()
            if len(values)
        },
    }


def percent(share: float | None, interval: list[float] | None = None) -> str:
    """A share for people; none where nothing was to be shared."""
    if share is None:
        return "none"
    return f"{share:.1%}" + (f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else "")


def calibration(scaled: np.ndarray, truth: np.ndarray, chooses: np.ndarray) -> None:
    """Print calibration error and log loss on the other half, before and after a further temperature."""
    even = 1 / np.bincount(truth, minlength=len(FERPLUS)).clip(1)[truth]
    for title, weight in (("as frequent as in the set", np.ones(len(truth))), ("every class the same", even)):

        def on(rows: np.ndarray, by: float, weight: np.ndarray = weight) -> tuple[float, float]:
            return judged(calibrated(scaled[rows], by, np.zeros(1)), truth[rows], weight[rows])

        best = min(np.geomspace(0.5, 2.0, 140), key=lambda by: on(chooses, by)[1])
        (error, loss), (error_after, loss_after) = on(~chooses, 1.0), on(~chooses, best)
        print(f"  {title}: calibration error {error:.2%}, log loss {loss:.4f}; "
              f"temperature times {best:.2f}: {error_after:.2%}, {loss_after:.4f}")  # fmt: skip


def classes(probabilities: np.ndarray, truth: np.ndarray) -> None:
    """Print each class's mean probability, share, and confidence and accuracy where it is the answer."""
    answer, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    for k, label in enumerate(FERPLUS):
        called = answer == k
        where = f"{confidence[called].mean():.1%}, right {(truth[called] == k).mean():.1%}" if called.any() else "-"
        print(f"  {label:10s} probability {probabilities[:, k].mean():6.2%}, share {(truth == k).mean():6.2%}; "
              f"the answer {called.sum():4d} times at {where}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--logits", type=Path, help="keep the network's answers here (.npz), or take them from it")
    parser.add_argument("--manifest", action="store_true", help="write the thresholds into the manifest")
    options = parser.parse_args()
    manifest = load_manifest(options.weights)
    if manifest.label_set != label_set("ferplus"):
        raise OptionError(
            f"weights {manifest.name!r} answer in other classes than FER+; this script cannot judge them"
        )
    ferplus, people = ferplus_validation(options.ferplus), muxspace_people(options.muxspace)
    answers = _answers(manifest, ferplus, people, options)
    z, alone = answers["ferplus"][answers["alone"]], answers["alone"]
    truth, groups = ferplus.truth[alone], np.array(ferplus.groups)[alone]
    chooses = first_half(tuple(groups.tolist()))
    print(f"weights {manifest.name} {next(iter(manifest.files.values()))[:8]}; FER+ validation without repeats: "
          f"{len(z)} images, {chooses.sum()} choose")  # fmt: skip
    confidence_thresholds, command = {}, COMMAND.format(manifest.name)
    for priors, bias in manifest.priors.items():
        print(f"\n{priors}")
        scaled, theirs = (x / manifest.temperature + np.array(bias) for x in (z, answers["muxspace"]))
        calibration(scaled, truth, chooses)
        of_people = calibrated(theirs, 1.0, np.zeros(1))
        error, loss = judged(of_people, people.truth, np.ones(len(of_people)))
        print(f"  muxspace people: calibration error {error:.2%}, log loss {loss:.4f}")
        probabilities = calibrated(scaled, 1.0, np.zeros(1))
        classes(probabilities[~chooses], truth[~chooses])
        for accuracy in (ACCURACY, *ALSO):
            least = threshold(probabilities[chooses], truth[chooses], accuracy)
            measured = {
                "FER+ validation, other half": kept_above(
                    least, probabilities[~chooses], truth[~chooses], groups[~chooses]
                ),
                "muxspace people": kept_above(least, of_people, people.truth, np.array(people.groups)),
            }
            for images, found in measured.items():
                right = percent(found["accuracy"], found["interval_95"].get("accuracy"))
                others = percent(found["accuracy of the others"])
                print(f"  {accuracy:.0%} from {least:.2f}, {images}: keeps {percent(found['coverage'])}; "
                      f"right are {right} of these, {others} of the others")  # fmt: skip
            if accuracy == ACCURACY:
                confidence_thresholds[priors] = ConfidenceThreshold(
                    threshold=least, rule=RULE, measured={"command": command} | measured
                )
    if options.manifest:
        write_manifest(replace(manifest, confidence_thresholds=confidence_thresholds))


def _answers(
    manifest: WeightsManifest, ferplus: HeldOutSet, people: HeldOutSet, options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Logits of both sets, and which FER+ images repeat none of training; kept in `--logits`."""
    files = np.array(list(manifest.files.values()))
    if options.logits and options.logits.exists():
        stored = dict(np.load(options.logits))
        if np.array_equal(stored.pop("files"), files):
            return stored
        raise OptionError(f"{options.logits} holds the answers of other weights; name another file")
    found = {
        "alone": without_repeats(ferplus, options.ferplus),
        "ferplus": logits_of(manifest, ferplus),
        "muxspace": logits_of(manifest, people),
    }
    if options.logits:
        np.savez(options.logits, files=files, **found)
    return found


if __name__ == "__main__":
    main()
