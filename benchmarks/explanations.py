"""Whether occlusion maps are faithful: deletion and insertion on validation faces, against maps that know no face.

    python benchmarks/explanations.py ferplus.zip --weights default --faces 30 --out NAME.json

Areas under the curves of the probability of each face's most probable class; differences are paired, with 95 %
intervals of the mean from 2,000 bootstrap samples of the faces. Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

import mien
from mien.datasets import dataset_info
from mien.datasets.audit.scan import labelled_region
from mien.explanation.explain import explain, probability_of
from mien.explanation.faithfulness import centre_prior, faithfulness
from mien.explanation.occlusion import GRID
from output import write_result


def interval(values: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Mean, and the 2.5th and 97.5th percentile of bootstrap means."""
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    return [round(float(v), 3) for v in (values.mean(), *np.percentile(means, (2.5, 97.5)))]


def measure(recognizer: mien.Recognizer, images: list[np.ndarray], rng: np.random.Generator) -> dict[str, object]:
    areas: dict[str, list[tuple[float, float]]] = {"occlusion": [], "centre prior": [], "random": []}
    for image in images:
        (one,) = explain(image, recognizer=recognizer, detect=False)
        run = partial(probability_of, recognizer, one.label)
        areas["occlusion"].append((one.faithfulness.deletion, one.faithfulness.insertion))
        for name, cells in (("centre prior", centre_prior()), ("random", rng.random((GRID, GRID)))):
            other = faithfulness(run, one.crop, cells)
            areas[name].append((other.deletion, other.insertion))
    result: dict[str, object] = {}
    for k, curve in enumerate(("deletion", "insertion")):
        columns = {name: np.array(rows)[:, k] for name, rows in areas.items()}
        result[curve] = {name: interval(values, rng) for name, values in columns.items()}
        for name in ("centre prior", "random"):
            result[f"{curve}, occlusion minus {name}"] = interval(columns["occlusion"] - columns[name], rng)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="FER+ as published: a folder or .zip")
    parser.add_argument("--weights", nargs="+", default=["default"])
    parser.add_argument("--faces", type=int, default=30)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    samples = dataset_info("ferplus").some_samples(options.data).of("valid")
    rows = np.random.default_rng(0).permutation(len(samples))[: options.faces]
    images = [labelled_region(samples, int(row)) for row in rows]
    result = {"command": f"python benchmarks/explanations.py ferplus.zip --faces {options.faces}"}
    result |= {
        name: measure(mien.load(name, threads=1), images, np.random.default_rng(0)) for name in options.weights
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
