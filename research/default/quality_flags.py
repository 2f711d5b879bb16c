"""What each quality flag is worth: limits chosen on one half of the images, measured on the other.

    python -m research.default.quality_flags --ferplus ferplus.zip --muxspace muxspace.zip --faces faces.csv

Reads part of FER+ validation and of the muxspace people, drawn evenly over the classes, as they are, and fewer of
both corrupted in known amounts (`spoil.py`), through the pipeline of prediction (`--crops`). `--faces` keeps every
face with its measures and whether it was read right; if it is there, it is judged and nothing is read. A person's
images stay in one half.

A limit stands where, on the first half, an isotonic fit of accuracy over the measure lies ten points below the
accuracy of the same images as they are, for the turn below that of faces turned by less than 20 degrees; both
sets weigh the same. But not where it would flag more than one in a hundred of the faces as they are: there it
stands at this one. The package has these limits in two digits, rounded so that fewer faces are flagged. The tables
are of the second half, under the limits of the package: accuracy in percent, its interval (95 %, 1,000 bootstrap
draws of people, seed 0) and the number of faces.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.isotonic import IsotonicRegression

import mien
from mien.geometry import five_points
from mien.labels import FERPLUS
from mien.results import FLAGS, Face, Quality
from mien.weights.manifest import load_manifest
from research.degrade import SPOILERS
from research.held_out import HeldOutSet, ferplus_validation, first_half, muxspace_people

MEASURES = ("eye_px", "off_axis_deg", "sharpness", "light", "contrast", "clipped")
COLUMNS = ("weights", "set", "name", "person", "corrupted", "amount", "right", "confidence", *MEASURES)
WAYS = {"small": ["smaller"], "off-axis": [], "blurred": ["blurred", "shaken"], "dark": ["darker"],
        "flat": ["foggy"], "overexposed": ["overexposed"]}  # fmt: skip
HIGH = {"off-axis", "overexposed"}  # flags of what lies above a limit
LOSS = 0.10  # of accuracy, at the limit
SPARED = 0.99  # of the faces as they are, at least
AHEAD_DEG = 20.0  # faces turned by less look ahead


def evenly(kept: HeldOutSet, images: int) -> np.ndarray:
    """Rows of this many images, one of each class in turn as long as it has any; a seeded draw."""
    rng = np.random.default_rng(0)
    of_class = [rng.permutation(np.flatnonzero(kept.truth == label)) for label in range(len(FERPLUS))]
    rows = [rows[i] for i in range(max(map(len, of_class))) for rows in of_class if i < len(rows)]
    return np.array(rows[:images])


def read(
    name: str, kept: HeldOutSet, recognizer: mien.Recognizer, *, most: int, spoil: int
) -> Iterator[dict[str, object]]:
    """One row per face and way of spoiling; the first `spoil` of `most` images are corrupted, too."""
    rng = np.random.default_rng(0)

    def row(face: Face, i: int, way: str, amount: float) -> dict[str, object]:
        assert face.expression is not None
        values = {"weights": weights, "set": name, "name": kept.names[i], "person": kept.groups[i]}
        values |= {"corrupted": way, "amount": amount, "confidence": round(face.expression.confidence, 4)}
        values |= {"right": int(face.expression.top == FERPLUS[kept.truth[i]])}
        return values | {measure: round(getattr(face.quality, measure), 4) for measure in MEASURES}

    manifest = recognizer.network.manifest
    weights = f"{manifest.name} {next(iter(manifest.files.values()))[:8]}"
    rows = evenly(kept, most)
    for place, (i, image) in enumerate(zip(rows, kept.at(rows), strict=True)):
        (face,) = recognizer.predict(image, detect=False)
        yield row(face, i, "", 0.0)
        eyes = five_points(np.array(face.landmarks))[:2]
        eye = max(1.0, float(np.linalg.norm(eyes[1] - eyes[0])))
        for way, (spoiler, amounts) in SPOILERS.items() if place < spoil else ():
            for amount in amounts:
                (again,) = recognizer.predict(spoiler(image, amount, eye, rng), detect=False)
                yield row(again, i, way, amount)


@dataclass(frozen=True)
class Faces:
    """The table of faces as columns (N,)."""

    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self["set"])

    def take(self, rows: np.ndarray) -> Faces:
        """Some rows."""
        return Faces({name: column[rows] for name, column in self.columns.items()})

    def flagged(self, flag: str) -> np.ndarray:
        """Mask (N,) of the faces with a flag, under the limits of the package; "any": with one at least."""
        measures = zip(*(self[name].tolist() for name in MEASURES), strict=True)
        flags = [Quality(*values).flags for values in measures]
        return np.array([bool(found) if flag == "any" else flag in found for found in flags], dtype=bool)


def load(path: Path) -> Faces:
    """The table that `read` gave; with the accuracy of the same image as it is, as the column "before"."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    words = {"weights", "set", "name", "person", "corrupted"}
    columns = {
        name: np.array([row[name] if name in words else float(row[name]) for row in rows]) for name in COLUMNS
    }
    before = {row["name"]: float(row["right"]) for row in rows if row["corrupted"] == ""}
    return Faces(columns | {"before": np.array([before[row["name"]] for row in rows])})


def of_flag(faces: Faces, flag: str) -> Faces:
    """The faces that tell about a flag: those corrupted its way, and the same images as they are."""
    if not WAYS[flag]:
        return faces.take(faces["corrupted"] == "")
    there = np.isin(faces["corrupted"], WAYS[flag])
    return faces.take(there | ((faces["corrupted"] == "") & np.isin(faces["name"], faces["name"][there])))


def limit(faces: Faces, flag: str) -> tuple[float, float]:
    """Where accuracy has fallen by LOSS, infinite where it nowhere has; and what SPARED as they are keep within."""
    measure, told = MEASURES[FLAGS.index(flag)], of_flag(faces, flag)
    before = told["before"].copy()
    for name in np.unique(told["set"]):
        there = told["set"] == name
        usual = there & (told["off_axis_deg"] < AHEAD_DEG) if flag == "off-axis" else there
        before[there] = told["before"][usual].mean()
    weight = np.array([1 / (told["set"] == name).sum() for name in told["set"]])
    fit = IsotonicRegression(increasing=flag not in HIGH)
    fallen = fit.fit_transform(told[measure], told["right"] - before, sample_weight=weight) <= -LOSS
    lost = told[measure][fallen]
    usual = faces[measure][faces["corrupted"] == ""]
    if flag in HIGH:
        return float(lost.min(initial=np.inf)), float(np.quantile(usual, SPARED))
    return float(lost.max(initial=-np.inf)), float(np.quantile(usual, 1 - SPARED))


def accuracy(faces: Faces, column: str = "right") -> str:
    """In percent, with its interval and the number of faces; people are drawn together."""
    if not len(faces):
        return "none"
    right = faces[column]
    _, unit = np.unique(faces["person"], return_inverse=True)
    count = int(unit.max()) + 1
    sums, sizes = np.bincount(unit, right, count), np.bincount(unit, minlength=count)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=1000)
    low, high = np.percentile(draws @ sums / np.maximum(draws @ sizes, 1), [2.5, 97.5])
    return f"{100 * right.mean():.0f} ({100 * low:.0f} to {100 * high:.0f}) of {len(right)}"


def tables(faces: Faces, confidence_threshold: float) -> None:
    """Print what the flags are worth, in Markdown."""
    chooses = first_half(tuple(faces["person"].tolist()))
    first, second = faces.take(chooses), faces.take(~chooses)
    sets = np.unique(faces["set"]).tolist()
    print(f"weights: {', '.join(np.unique(faces['weights']))}; limits that the first half chooses:")
    for flag in FLAGS:
        lost, usual = limit(first, flag)
        chosen = max(lost, usual) if flag in HIGH else min(lost, usual)
        print(f"  {flag} {chosen:.3f} (ten points lost: {lost:.3f}; one in a hundred as they are: {usual:.3f})")

    line("flag", "set", "flagged", "the same images before", "flagged and confident", "corrupted, not flagged")
    line(*["---"] * 6)
    for flag in (flag for flag in FLAGS if WAYS[flag]):
        for name in sets:
            part = second.take(np.isin(second["corrupted"], WAYS[flag]) & (second["set"] == name))
            hit = part.flagged(flag)
            bad, rest = part.take(hit), part.take(~hit)
            sure = bad.take(bad["confidence"] >= confidence_threshold)
            line(flag, name, accuracy(bad), accuracy(bad, "before"), accuracy(sure), accuracy(rest))

    line("flag", "set", "share flagged, as they are", "flagged", "not flagged")
    line(*["---"] * 5)
    for flag in (*FLAGS, "any"):
        for name in sets:
            part = second.take((second["corrupted"] == "") & (second["set"] == name))
            hit = part.flagged(flag)
            line(flag, name, f"{100 * hit.mean():.1f}", accuracy(part.take(hit)), accuracy(part.take(~hit)))

    line(
        "set",
        "images",
        f"confidence from {confidence_threshold:.2f}",
        "of these not flagged: certain",
        "of these flagged",
    )
    line(*["---"] * 5)
    for name in sets:
        for title, wanted in (("as they are", second["corrupted"] == ""), ("corrupted", second["corrupted"] != "")):
            sure = second.take(wanted & (second["set"] == name) & (second["confidence"] >= confidence_threshold))
            hit = sure.flagged("any")
            line(name, title, accuracy(sure), accuracy(sure.take(~hit)), accuracy(sure.take(hit)))

    line("corrupted", "amount", *(f"{name}, right" for name in sets), *(f"flagged {flag}" for flag in FLAGS))
    line(*["---"] * (2 + len(sets) + len(FLAGS)))
    for way, (_, amounts) in SPOILERS.items():
        for amount in amounts:
            rows = second.take((second["corrupted"] == way) & (second["amount"] == amount))
            right = [accuracy(rows.take(rows["set"] == name)) for name in sets]
            line(way, f"{amount:g}", *right, *(f"{100 * rows.flagged(flag).mean():.0f}" for flag in FLAGS))


def line(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="table of faces, .csv")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--images", type=int, default=1200, help="of each set, read as they are")
    parser.add_argument("--spoil", type=int, default=110, help="of these, also read corrupted in every way")
    options = parser.parse_args()
    if not 20 <= options.spoil <= options.images:
        parser.error("halves of fewer than 20 corrupted images say nothing; --spoil is at most --images")
    if not options.faces.exists():
        recognizer = mien.load(options.weights, threads=1)
        ferplus, people = ferplus_validation(options.ferplus), muxspace_people(options.muxspace)
        half = options.faces.with_name(options.faces.name + ".half")
        with half.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for name, kept in (("muxspace", people), ("FER+", ferplus)):
                writer.writerows(read(name, kept, recognizer, most=options.images, spoil=options.spoil))
        half.replace(options.faces)
    stated = load_manifest(options.weights).confidence_thresholds.get("default")
    tables(load(options.faces), stated.threshold if stated else 1.0)


if __name__ == "__main__":
    main()
