"""Whether maps are faithful: deletion and insertion on validation faces, against maps that know no face.

    python -m research.experiments.explanations measure --data wild7.zip --faces 40 --out rows.jsonl
    python -m research.experiments.explanations report --rows rows.jsonl

`measure` writes the areas of every map of a face, drawn by chance from the validation part, one line for each face
and network; run again, it goes on. Networks run without test-time augmentation, for each face's most probable
class; 27 seconds a face for four networks on one core. `report` writes the tables of docs/models/explanations.md
and src/mien/explanation/measured.json, of the faces that all networks have. Differences to the centre prior are
paired; intervals of the mean are 95 %, from 2,000 bootstrap samples of the faces.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mien
from mien.datasets import dataset_info
from mien.datasets.audit.scan import labelled_region
from mien.explanation import measured
from mien.explanation.explain import explain, probability_of
from mien.explanation.faithfulness import centre_prior, faithfulness
from mien.explanation.maps import resized
from mien.explanation.measured import MeasuredMap
from mien.explanation.occlusion import GRID

WEIGHTS = ("default", "poster", "apvit", "phanet")
PAGE = Path(__file__).parents[2] / "docs/models/explanations.md"
START, END = "<!-- made by research/experiments/explanations.py -->\n", "<!-- end -->\n"
CENTRE, RANDOM = "centre prior", "random"


def measure(archive: Path, count: int, out: Path) -> None:
    samples = dataset_info("csv").some_samples(archive).of("valid")
    rows = np.random.default_rng(0).permutation(len(samples))[:count].tolist()
    done = {(line["row"], line["weights"]) for line in read(out)} if out.exists() else set()
    recognizers = {name: mien.load(name, threads=1, tta=False, precision="float32") for name in WEIGHTS}
    for row in rows:
        image = labelled_region(samples, row)
        for name, recognizer in recognizers.items():
            if (row, name) in done:
                continue
            (one,) = explain(image, recognizer=recognizer, methods="all", detect=False, curves=False)
            maps = {each.key: resized(each.values, GRID) for each in one.maps}
            maps |= {CENTRE: centre_prior(), RANDOM: np.random.default_rng(row).random((GRID, GRID))}
            run = partial(probability_of, recognizer, one.label)
            areas = faithfulness(run, one.crop, list(maps.values()))
            values = {key: (area.deletion, area.insertion) for key, area in zip(maps, areas, strict=True)}
            line = {"row": row, "weights": name, "identity": one.identity, "label": one.label, "areas": values}
            with out.open("a") as file:
                file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, and the 2.5th and 97.5th percentile of bootstrap means."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    mean, low, high = (round(float(v), 3) for v in (values.mean(), *np.percentile(means, (2.5, 97.5))))
    return mean, low, high


def of_weights(lines: list[dict[str, Any]]) -> dict[str, MeasuredMap]:
    """The measurement of each map of one network's lines."""
    areas = {key: np.array([line["areas"][key] for line in lines]) for key in lines[0]["areas"]}
    centre = areas[CENTRE]
    return {
        key: MeasuredMap(
            len(lines),
            interval(values[:, 0]),
            interval(values[:, 1]),
            interval(values[:, 0] - centre[:, 0]),
            interval(values[:, 1] - centre[:, 1]),
        )
        for key, values in areas.items()
    }


def report(path: Path) -> None:
    lines = read(path)
    complete = [row for row, count in Counter(line["row"] for line in lines).items() if count == len(WEIGHTS)]
    tables, result = [], {}
    for name in WEIGHTS:
        own = [line for line in lines if line["weights"] == name and line["row"] in complete]
        maps = of_weights(own)
        result[own[0]["identity"]] = {"weights": name, "maps": {key: asdict(one) for key, one in maps.items()}}
        tables.append(table_of(name, maps))
    file = Path(measured.__file__).with_name("measured.json")
    file.write_text(json.dumps(result, indent=1) + "\n")
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    middle = "\n\n".join([f"{len(complete)} faces.", *tables])
    page = f"{before}{START}\n{middle}\n\n{END}{rest.split(END)[1]}"
    PAGE.write_text(page, encoding="utf-8")


def table_of(name: str, maps: dict[str, MeasuredMap]) -> str:
    """One network's table."""
    lines = [f"| `{name}` | deletion | insertion | deletion minus centre prior | insertion minus centre prior | |"]
    lines.append("|---|---|---|---|---|---|")
    for key, one in maps.items():
        cells = [text(one.deletion), text(one.insertion), "", "", ""]
        if key != CENTRE:
            verdict = one.in_short
            verdict = f"**{verdict}**" if one.is_better else verdict
            cells[2:] = text(one.deletion_to_centre, "+"), text(one.insertion_to_centre, "+"), verdict
        lines.append(f"| {key.replace('/', ': ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def text(values: tuple[float, float, float], sign: str = "") -> str:
    mean, low, high = (f"{value:{sign}.2f}" for value in values)
    return f"{mean} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument(
        "--data", type=Path, required=True, help="wild7.zip: a data set as mien data csv reads it"
    )
    measuring.add_argument("--faces", type=int, default=40)
    measuring.add_argument("--out", type=Path, required=True)
    reporting = commands.add_parser("report")
    reporting.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "measure":
        measure(options.data, options.faces, options.out)
    else:
        report(options.rows)


if __name__ == "__main__":
    main()
