"""What each quality flag is worth: limits chosen on one half of the images, measured on the other.

    python -m research.fer.quality_flags --ferplus ferplus.zip --muxspace muxspace.zip --faces faces.parquet

Predicts part of FER+ validation and of the muxspace people, drawn evenly over the classes, clean, and fewer of both
corrupted (`corruptions.py`), without detection. `--faces` keeps every face with its measures and whether it was
predicted correctly; if the file is there, nothing is predicted again. A person's images stay in one half.

A limit stands where, on the first half, an isotonic fit of accuracy over the measure lies ten points below the
accuracy of the same images clean; for `off-axis` below that of faces turned by less than 20 degrees. Both sets
weigh the same. It flags at most one in a hundred clean faces. The package has these limits in two digits, rounded
so that fewer faces are flagged. The tables are of the second half, under the limits of the package: accuracy in
percent, its interval (95 %, 1,000 bootstrap resamples of people, seed 0) and the number of faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

import mien
from mien.evaluation.calibration import first_half
from mien.evaluation.corruptions import FaceRegion, corrupt
from mien.labels import FERPLUS
from mien.media.atomic import atomic_open
from mien.metrics import bootstrap
from mien.results import Face, Quality
from mien.weights.manifest import load_manifest
from research.fer.corruptions import CORRUPTIONS
from research.held_out import HeldOutSet, by_class, ferplus_validation, muxspace_people

MEASURES = ("eye_px", "off_axis_deg", "sharpness", "light", "contrast", "clipped")
CAUSES = {"small": ["shrink"], "off-axis": [], "blurred": ["blur", "motion"], "dark": ["underexpose"],
          "flat": ["fade"], "overexposed": ["overexpose"]}  # fmt: skip
HIGH = {"off-axis", "overexposed"}  # flags of what lies above a limit
LOSS = 0.10  # of accuracy, at the limit
UNFLAGGED = 0.99  # of the clean faces, at least
FRONTAL_DEG = 20.0


def evenly(held_out: HeldOutSet, images: int) -> HeldOutSet:
    """This many images, one of each class in turn as long as it has any."""
    classes = by_class(held_out)
    rows = [rows[i] for i in range(max(map(len, classes))) for rows in classes if i < len(rows)]
    return held_out.take(np.array(rows[:images]))


def predict(held_out: HeldOutSet, recognizer: mien.Recognizer, *, corrupted: int) -> Iterator[dict[str, Any]]:
    """One row per face; of the first `corrupted` images also one for each corruption and severity."""
    for i, image in enumerate(held_out.images()):
        common = {"set": held_out.title, "name": str(held_out.samples.path[i]), "person": str(held_out.clusters[i])}

        def row(face: Face, corruption: str = "", severity: str = "", i: int = i) -> dict[str, Any]:
            assert face.expression is not None
            correct = face.expression.top == FERPLUS[held_out.truth[i]]
            values = {"corruption": corruption, "severity": severity, "correct": float(correct)}
            values |= {"confidence": face.expression.confidence}
            return values | {measure: float(getattr(face.quality, measure)) for measure in MEASURES}

        (face,) = recognizer.predict(image, detect=False)
        clean = row(face)
        yield common | clean | {"clean_correct": clean["correct"]}
        region = FaceRegion.of(image, np.array(face.landmarks))
        for corruption in CORRUPTIONS.values() if i < corrupted else ():
            for severity in corruption.severities:
                changed = corrupt(image, corruption, severity, region=region, name=common["name"])
                (face,) = recognizer.predict(changed, detect=False)
                yield common | row(face, corruption.name, severity) | {"clean_correct": clean["correct"]}


def flagged(faces: pd.DataFrame, flag: str) -> pd.Series:
    """Which faces have a flag under the limits of the package; "any": at least one."""
    flags = [Quality(*values).flags for values in faces[list(MEASURES)].itertuples(index=False)]
    return pd.Series([bool(each) if flag == "any" else flag in each for each in flags], faces.index, dtype=bool)


def limit(faces: pd.DataFrame, flag: str) -> tuple[float, float]:
    """Where accuracy has fallen by LOSS, infinite where it never does; and what UNFLAGGED clean faces keep to."""
    measure, clean = MEASURES[list(CAUSES).index(flag)], faces.corruption == ""
    caused = faces.corruption.isin(CAUSES[flag])
    fit_on = faces[(caused | (clean & faces.name.isin(faces.name[caused]))) if CAUSES[flag] else clean]
    usual = fit_on[fit_on.off_axis_deg < FRONTAL_DEG] if flag == "off-axis" else fit_on
    baseline = fit_on.set.map(usual.groupby("set").clean_correct.mean())
    weight = 1 / fit_on.set.map(fit_on.set.value_counts())
    fit = IsotonicRegression(increasing=flag not in HIGH)
    fallen = fit.fit_transform(fit_on[measure], fit_on.correct - baseline, sample_weight=weight) <= -LOSS
    lost = fit_on[measure][fallen].to_numpy()
    if flag in HIGH:
        return float(lost.min(initial=np.inf)), float(faces[measure][clean].quantile(UNFLAGGED))
    return float(lost.max(initial=-np.inf)), float(faces[measure][clean].quantile(1 - UNFLAGGED))


def accuracy(faces: pd.DataFrame, column: str = "correct") -> str:
    """In percent, with its interval over people and the number of faces."""
    if not len(faces):
        return "none"
    correct, people = faces[column].to_numpy(), faces.person.to_numpy()
    interval = bootstrap(
        lambda right, images: right / images, correct, np.ones(len(faces)), clusters=people, resamples=1000
    )
    return f"{100 * interval.value:.0f} ({100 * interval.low:.0f} to {100 * interval.high:.0f}), n = {len(faces)}"


def print_tables(faces: pd.DataFrame, confidence_threshold: float) -> None:
    """What the flags are worth, in Markdown."""
    chooses = first_half(faces.person.to_numpy())
    first, second = faces[chooses], faces[~chooses]
    sets = sorted(set(faces.set))
    print(f"weights: {', '.join(sorted(set(faces.weights)))}; limits that the first half chooses:")
    for flag in CAUSES:
        lost, usual = limit(first, flag)
        chosen = max(lost, usual) if flag in HIGH else min(lost, usual)
        print(f"  {flag} {chosen:.3f} (ten points lost: {lost:.3f}; one in a hundred clean faces: {usual:.3f})")

    header("flag", "set", "flagged", "the same images clean", "flagged and confident", "corrupted, not flagged")
    for flag, causes in CAUSES.items():
        for name in sets if causes else ():
            part = second[second.corruption.isin(causes) & (second.set == name)]
            hit = part[flagged(part, flag)]
            sure, rest = hit[hit.confidence >= confidence_threshold], part.drop(hit.index)
            row(flag, name, accuracy(hit), accuracy(hit, "clean_correct"), accuracy(sure), accuracy(rest))

    header("flag", "set", "share of clean faces flagged", "flagged", "not flagged")
    for flag in (*CAUSES, "any"):
        for name in sets:
            part = second[(second.corruption == "") & (second.set == name)]
            hit = flagged(part, flag)
            row(flag, name, f"{100 * hit.mean():.1f}", accuracy(part[hit]), accuracy(part[~hit]))

    header("set", "images", f"confidence from {confidence_threshold:.2f}", "not flagged: certain", "flagged")
    for name in sets:
        for title, which in (("clean", second.corruption == ""), ("corrupted", second.corruption != "")):
            sure = second[which & (second.set == name) & (second.confidence >= confidence_threshold)]
            hit = flagged(sure, "any")
            row(name, title, accuracy(sure), accuracy(sure[~hit]), accuracy(sure[hit]))

    header(
        "corruption", "severity", *(f"{name}, accuracy" for name in sets), *(f"flagged {flag}" for flag in CAUSES)
    )
    for corruption in CORRUPTIONS.values():
        for severity in corruption.severities:
            part = second[(second.corruption == corruption.name) & (second.severity == severity)]
            cells = [accuracy(part[part.set == name]) for name in sets]
            row(corruption.name, severity, *cells, *(f"{100 * flagged(part, flag).mean():.0f}" for flag in CAUSES))


def header(*cells: str) -> None:
    """Print the head of a table."""
    print()
    row(*cells)
    row(*["---"] * len(cells))


def row(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="table of faces, .parquet")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--images", type=int, default=1200, help="of each set, clean")
    parser.add_argument("--corrupted", type=int, default=110, help="of these, also corrupted in every way")
    options = parser.parse_args(arguments)
    if not 20 <= options.corrupted <= options.images:
        parser.error("halves of fewer than 20 corrupted images say nothing; --corrupted is at most --images")
    if not options.faces.exists():
        recognizer = mien.load(options.weights, threads=1)
        rows: list[dict[str, Any]] = []
        for held_out in (muxspace_people(options.muxspace), ferplus_validation(options.ferplus)):
            rows += predict(evenly(held_out, options.images), recognizer, corrupted=options.corrupted)
        manifest = load_manifest(options.weights)
        with atomic_open(options.faces) as file:
            pd.DataFrame(rows).assign(weights=f"{manifest.name} {manifest.identity}").to_parquet(file)
    stated = load_manifest(options.weights).confidence_thresholds.get("default")
    print_tables(pd.read_parquet(options.faces), stated.threshold if stated else 1.0)


if __name__ == "__main__":
    main()
