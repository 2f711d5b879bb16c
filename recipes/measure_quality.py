"""What each quality flag is worth: limits chosen on one half of the pictures, measured on the other.

    python recipes/measure_quality.py --ferplus ferplus.zip --muxspace muxspace.zip --faces faces.csv

Reads FER+ validation and part of the muxspace people as they are, and fewer of both spoiled in known amounts
(`spoil.py`), through the pipeline of prediction (`--crops`). `--faces` keeps every face with its measures and whether it
was read right; if it is there, it is judged and nothing is read. A person's pictures stay in one half.

A limit stands where, on the first half, an isotonic fit of accuracy over the measure lies ten points below the
accuracy of the same pictures as they are; both sets weigh the same. The tables are of the second half, under
the limits that the package has. Intervals: 95 %, 1,000 bootstrap draws of people, seed 0.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.isotonic import IsotonicRegression

import mien
from kept_apart import KeptApart, ferplus_validation, first_half, muxspace_people
from mien.geometry import five_points
from mien.labels import FERPLUS
from mien.media.images import read_picture
from mien.results import FLAGS, Face, Quality
from spoil import SPOILERS

MEASURES = ("eye_px", "turn_deg", "sharpness", "light", "shadow")
COLUMNS = ("weights", "set", "name", "person", "spoiled", "amount", "right", "confidence", *MEASURES)
WAYS = {"small": ["smaller"], "turned": [], "blurred": ["blurred", "shaken"], "dark": ["darker"],
        "bright": ["overexposed"], "flat": ["foggy"]}  # fmt: skip
HIGH = {"turned", "bright"}  # flags of what lies above a limit
LOSS = 0.10  # of accuracy, at the limit


def evenly(kept: KeptApart, pictures: int) -> np.ndarray:
    """Rows of this many pictures, one of each class in turn as long as it has any; a seeded draw."""
    rng = np.random.default_rng(0)
    of_class = [rng.permutation(np.flatnonzero(kept.truth == label)) for label in range(len(FERPLUS))]
    rows = [rows[i] for i in range(max(map(len, of_class))) for rows in of_class if i < len(rows)]
    return np.array(rows[:pictures])


def read(name: str, kept: KeptApart, reader: mien.Reader, *, most: int, spoil: int) -> Iterator[dict[str, object]]:
    """One row per face and way of spoiling; the first `spoil` of `most` pictures are spoiled, too."""
    rng = np.random.default_rng(0)

    def row(face: Face, i: int, way: str, amount: float) -> dict[str, object]:
        assert face.expression is not None
        values = {"weights": weights, "set": name, "name": kept.names[i], "person": kept.groups[i]}
        values |= {"spoiled": way, "amount": amount, "confidence": round(face.expression.confidence, 4)}
        values |= {"right": int(face.expression.top == FERPLUS[kept.truth[i]])}
        return values | {measure: round(getattr(face.quality, measure), 4) for measure in MEASURES}

    record = reader.network.record
    weights = f"{record.name} {next(iter(record.files.values()))[:8]}"
    with zipfile.ZipFile(kept.archive) as archive:
        for place, i in enumerate(evenly(kept, most)):
            picture = read_picture(archive.read(kept.names[i]))
            (face,) = reader.predict(picture, crop=True)
            yield row(face, i, "", 0.0)
            eyes = five_points(np.array(face.landmarks))[:2]
            eye = max(1.0, float(np.linalg.norm(eyes[1] - eyes[0])))
            for way, (spoiler, amounts) in SPOILERS.items() if place < spoil else ():
                for amount in amounts:
                    (again,) = reader.predict(spoiler(picture, amount, eye, rng), crop=True)
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
    """The table that `read` gave; with the accuracy of the same picture as it is, as the column "before"."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    words = {"weights", "set", "name", "person", "spoiled"}
    columns = {
        name: np.array([row[name] if name in words else float(row[name]) for row in rows]) for name in COLUMNS
    }
    before = {row["name"]: float(row["right"]) for row in rows if row["spoiled"] == ""}
    return Faces(columns | {"before": np.array([before[row["name"]] for row in rows])})


def of_flag(faces: Faces, flag: str) -> Faces:
    """The faces that tell about a flag: those spoiled its way, and the same pictures as they are."""
    if not WAYS[flag]:
        return faces.take(faces["spoiled"] == "")
    there = np.isin(faces["spoiled"], WAYS[flag])
    return faces.take(there | ((faces["spoiled"] == "") & np.isin(faces["name"], faces["name"][there])))


def limit(faces: Faces, flag: str) -> float:
    """Where accuracy has fallen by LOSS; not a number where it nowhere has."""
    measured = {"small": "eye_px", "turned": "turn_deg", "blurred": "sharpness", "dark": "light", "bright": "shadow"}
    x = faces["light"] - faces["shadow"] if flag == "flat" else faces[measured[flag]]
    before = faces["before"].copy()
    for name in np.unique(faces["set"]):
        before[faces["set"] == name] = faces["before"][faces["set"] == name].mean()
    weight = np.array([1 / (faces["set"] == name).sum() for name in faces["set"]])
    fit = IsotonicRegression(increasing=flag not in HIGH).fit(x, faces["right"] - before, sample_weight=weight)
    lost = x[fit.predict(x) <= -LOSS]
    return float("nan") if not len(lost) else float(lost.min() if flag in HIGH else lost.max())


def share(right: np.ndarray, people: np.ndarray) -> str:
    """Accuracy in percent with its interval and count; people are drawn together."""
    if not len(right):
        return "none"
    _, unit = np.unique(people, return_inverse=True)
    count = int(unit.max()) + 1
    sums, sizes = np.bincount(unit, right, count), np.bincount(unit, minlength=count)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=1000)
    low, high = np.percentile(draws @ sums / np.maximum(draws @ sizes, 1), [2.5, 97.5])
    return f"{right.mean():.1%} ({low:.0%} to {high:.0%}) of {len(right)}".replace("%", "")


def tables(faces: Faces) -> None:
    """Print what the flags are worth, in Markdown."""
    chooses = first_half(tuple(faces["person"].tolist()))
    first, second = faces.take(chooses), faces.take(~chooses)
    print(f"weights: {', '.join(np.unique(faces['weights']))}\n")
    print("limits that the first half chooses:")
    for flag in FLAGS:
        print(f"  {flag}: {limit(of_flag(first, flag), flag):.3f}")
    print("\n| flag | set | flagged, spoiled | the same pictures as they are | spoiled, not flagged | confidence |")
    print("|---|---|---|---|---|---|")
    for flag in (flag for flag in FLAGS if WAYS[flag]):
        spoiled = second.take(np.isin(second["spoiled"], WAYS[flag]))
        for name in np.unique(spoiled["set"]):
            part = spoiled.take(spoiled["set"] == name)
            hit = part.flagged(flag)
            bad, rest = part.take(hit), part.take(~hit)
            sure = f"{100 * bad['confidence'].mean():.0f}" if len(bad) else "-"
            print(f"| {flag} | {name} | {share(bad['right'], bad['person'])} | {share(bad['before'], bad['person'])} "
                  f"| {share(rest['right'], rest['person'])} | {sure} |")  # fmt: skip
    print("\n| flag | set | share flagged, as they are | flagged | not flagged |\n|---|---|---|---|---|")
    plain = second.take(second["spoiled"] == "")
    for flag in (*FLAGS, "any"):
        for name in np.unique(plain["set"]):
            part = plain.take(plain["set"] == name)
            hit = part.flagged(flag)
            bad, rest = part.take(hit), part.take(~hit)
            print(f"| {flag} | {name} | {100 * hit.mean():.1f} | {share(bad['right'], bad['person'])} "
                  f"| {share(rest['right'], rest['person'])} |")  # fmt: skip
    shrunk, blurred = (second.take(second["spoiled"] == way) for way in ("smaller", "blurred"))
    print(f"\nmade smaller: {100 * shrunk.flagged('small').mean():.0f} are flagged small, "
          f"{100 * shrunk.flagged('blurred').mean():.0f} blurred; blurred: {100 * blurred.flagged('small').mean():.0f} "
          f"small, {100 * blurred.flagged('blurred').mean():.0f} blurred")  # fmt: skip
    print("\n| spoiled | amount | " + " | ".join(np.unique(faces["set"])) + " |\n|---|---|---|---|")
    for way, (_, amounts) in SPOILERS.items():
        for amount in amounts:
            rows = (second["spoiled"] == way) & (second["amount"] == amount)
            parts = [second.take(rows & (second["set"] == name)) for name in np.unique(faces["set"])]
            print(f"| {way} | {amount:g} | " + " | ".join(share(p["right"], p["person"]) for p in parts) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True, help="table of faces, .csv")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--people", type=int, default=1200, help="muxspace pictures, as even over classes as can be")
    parser.add_argument("--spoil", type=int, default=160, help="pictures of each set that are also spoiled")
    options = parser.parse_args()
    if not options.faces.exists():
        reader = mien.load(options.weights, threads=1)
        ferplus, people = ferplus_validation(options.ferplus), muxspace_people(options.muxspace)
        half = options.faces.with_name(options.faces.name + ".half")
        with half.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(read("muxspace", people, reader, most=options.people, spoil=options.spoil))
            writer.writerows(read("FER+", ferplus, reader, most=len(ferplus.names), spoil=options.spoil))
        half.replace(options.faces)
    tables(load(options.faces))


if __name__ == "__main__":
    main()
