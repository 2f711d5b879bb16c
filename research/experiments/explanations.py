"""Whether maps are faithful: deletion and insertion on validation faces, against maps that know no face.

    python -m research.experiments.explanations measure --data DIR --weights poster,apvit,phanet --out rows.jsonl
    python -m research.experiments.explanations report --rows rows.jsonl

`measure` writes the areas of every map of a face, one line for each face and network; run again, it goes on. Faces
are drawn by chance from the validation parts of `research.fer.suite`: wild7 (`DIR/wild7.zip`) and CFEE
(`DIR/cfee.zip`), one of each in turn. Networks run without test-time augmentation, for each face's most probable
class, by OpenVINO in bfloat16 where the processor has it; `--precision float32` takes twice the time. Attention and
gradients are those of torch in single precision.

`report` writes the tables of docs/models/explanations.md and src/mien/explanation/measured.json for the networks in
the rows and leaves those of others as they are; rows of weights that have been replaced since are left out.
Differences to the centre prior are paired; intervals of the mean are 95 %, from 2,000 bootstrap samples of the
faces.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mien
from mien.datasets.audit.scan import labelled_region
from mien.explanation import measured
from mien.explanation.explain import Explainer, probability_of
from mien.explanation.faithfulness import centre_prior, faithfulness
from mien.explanation.maps import METHODS, resized
from mien.explanation.measured import MeasuredMap
from mien.explanation.occlusion import GRID
from mien.faces import Detection
from mien.geometry import Box
from mien.pipeline.backend import Backend
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.turns import LocatedFace
from mien.weights.manifest import WeightsManifest, load_manifest
from research.fer.suite import ENTRIES

WEIGHTS = ("default", "poster_v2", "poster", "apvit", "phanet")
SETS = {"wild7": "wild7", "cfee": "CFEE"}
PRECISIONS = {"bfloat16": "bf16", "float32": "f32"}
PAGE = Path(__file__).parents[2] / "docs/models/explanations.md"
CENTRE, RANDOM = "centre prior", "random"


@dataclass(frozen=True)
class SampledFace:
    """A validation face with its image (H, W, 3) uint8 RGB."""

    where: str  # the set
    row: int
    image: np.ndarray
    located: LocatedFace


def measure(folder: Path, names: Sequence[str], count: int, out: Path, precision: str) -> None:
    done = {(line["set"], line["row"], line["identity"]) for line in read([out])} if out.exists() else set()
    explainers = [explainer(name, precision) for name in names]
    for face in sampled_faces(folder, count, explainers[0].recognizer):
        for each in explainers:
            if (face.where, face.row, measured.identity_of(each.recognizer.network.manifest)) in done:
                continue
            with out.open("a") as file:
                file.write(json.dumps(line_of(face, each)) + "\n")


def sampled_faces(folder: Path, count: int, recognizer: Recognizer) -> Iterator[SampledFace]:
    """`count` faces of each set, one of each in turn."""
    sets = {name: ENTRIES[name].rows(folder / f"{ENTRIES[name].archive}.zip") for name in SETS}
    rows = {name: np.random.default_rng(0).permutation(len(samples)) for name, samples in sets.items()}
    for i in range(count):
        for name, samples in sets.items():
            image = labelled_region(samples, row := int(rows[name][i]))
            detections = recognizer.detections(image) if ENTRIES[name].detect else []
            full = Detection(Box(0, 0, image.shape[1], image.shape[0]), 1.0)
            (located,) = recognizer.any_roll.locate(image, [*detections, full][:1])
            yield SampledFace(name, row, image, located)


def explainer(name: str, precision: str) -> Explainer:
    """Of all methods; the network is run by OpenVINO."""
    loaded = mien.load(name, threads=1, tta=False, precision="float32")
    manifest = loaded.network.manifest
    network = ExpressionNetwork(manifest, backend=Backend(openvino(manifest, precision)))
    recognizer = Recognizer(detector=loaded.detector, landmarker=loaded.landmarker, network=network)
    return Explainer(recognizer, tuple(METHODS), curves=False)


def openvino(manifest: WeightsManifest, precision: str) -> Callable[[np.ndarray], np.ndarray]:
    """Normalised faces (N, 3, S, S) -> outputs (N, K), on one thread."""
    from openvino import Core

    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": PRECISIONS[precision]}
    compiled = Core().compile_model(str(manifest.file(".onnx")), "CPU", hints)
    return lambda faces: np.asarray(compiled([faces])[0], dtype=np.float32)


def line_of(face: SampledFace, explainer: Explainer) -> dict[str, Any]:
    """The areas of all maps of one face by one network."""
    one = explainer.explain(face.image, face.located, 0, None)
    maps = {each.key: resized(each.values, GRID) for each in one.maps}
    maps |= {CENTRE: centre_prior(), RANDOM: np.random.default_rng(face.row).random((GRID, GRID))}
    run = partial(probability_of, explainer.recognizer, one.label)
    areas = faithfulness(run, one.crop, list(maps.values()))
    values = {key: (area.deletion, area.insertion) for key, area in zip(maps, areas, strict=True)}
    return {
        "set": face.where, "row": face.row, "weights": one.weights, "identity": one.identity, "label": one.label,
        "areas": values,
    }  # fmt: skip


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


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


def report(paths: Sequence[Path]) -> None:
    lines, file = read(paths), Path(measured.__file__).with_name("measured.json")
    before, page = json.loads(file.read_bytes()), PAGE.read_text(encoding="utf-8")
    result = {}
    for name in WEIGHTS:
        identity = measured.identity_of(load_manifest(name))
        own = [line for line in lines if line["identity"] == identity]
        if own:
            maps = of_weights(own)
            result[identity] = {"weights": name, "maps": {key: asdict(one) for key, one in maps.items()}}
            page = with_table(page, name, table_of(name, own, maps))
        elif identity in before:
            result[identity] = before[identity]
        print(f"{name}: {len(own)} lines", *([] if identity in result else ["; its weights are not measured"]))
    file.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page, encoding="utf-8")


def with_table(page: str, name: str, table: str) -> str:
    """The page with a network's table put between its marks."""
    start, end = f"<!-- {name}: made by research/experiments/explanations.py -->\n", f"<!-- {name}: end -->\n"
    before, rest = page.split(start)
    return f"{before}{start}\n{table}\n\n{end}{rest.split(end)[1]}"


def table_of(name: str, own: list[dict[str, Any]], maps: dict[str, MeasuredMap]) -> str:
    """One network's table: areas over all faces, verdicts over all and in each set alone."""
    sets = {where: [line for line in own if line["set"] == where] for where in SETS}
    alone = {where: of_weights(lines) for where, lines in sets.items()}
    faces = " and ".join(f"{len(lines)} of {SETS[where]}" for where, lines in sets.items())
    heads = [f"`{name}`", "deletion", "insertion", "deletion minus centre prior", "insertion minus centre prior"]
    heads += ["all faces", *(f"{title} alone" for title in SETS.values())]
    lines = [f"`{name}`, {faces}:", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for key, one in maps.items():
        cells = [text(one.deletion), text(one.insertion)]
        if key == CENTRE:
            cells += [""] * (len(heads) - 3)
        else:
            verdict = f"**{one.in_short}**" if one.is_better else one.in_short
            cells += [text(one.deletion_to_centre, "+"), text(one.insertion_to_centre, "+"), verdict]
            cells += [alone[where][key].in_short for where in SETS]
        lines.append(f"| {key.replace('/', ': ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def text(values: tuple[float, float, float], sign: str = "") -> str:
    mean, low, high = (f"{value:{sign}.2f}" for value in values)
    return f"{mean} ({low} to {high})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--data", type=Path, required=True, help="folder with wild7.zip and cfee.zip")
    measuring.add_argument("--weights", default=",".join(WEIGHTS), help="one or several, with commas")
    measuring.add_argument("--faces", type=int, default=60, help="of each set")
    measuring.add_argument("--precision", choices=PRECISIONS, default="bfloat16")
    measuring.add_argument("--out", type=Path, required=True)
    reporting = commands.add_parser("report")
    reporting.add_argument("--rows", type=Path, nargs="+", required=True)
    options = parser.parse_args(arguments)
    if options.command == "measure":
        measure(options.data, options.weights.split(","), options.faces, options.out, options.precision)
    else:
        report(options.rows)


if __name__ == "__main__":
    main()
