"""Int8 forms of weights in the package, calibrated on validation faces of the suite.

    python -m research.int8 default landmarks68 --suite suite

Adds NAME.int8.onnx to the folder of the weights, with its golden output; weights that are stored in single
precision are halved first. The faces of the landmark network are also shifted, turned and farther away, as its
first pass sees them. About a minute a network on a free core.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.geometry import invert
from mien.media.atomic import atomic_write
from mien.nn.onnx_session import open_session
from mien.preprocess import warp
from mien.weights.golden import Golden, pattern
from mien.weights.half_precision import with_half_weights
from mien.weights.manifest import INT8, WeightsManifest, load_manifest, write_manifest
from mien.weights.quantise import quantised
from research.borrow import borrowing
from research.fer.suite import SUITE, load

FACES = 24  # of each source
TOLERANCE = 0.02  # of the golden output, in shares of its largest value: rounding differs between processors


def calibrating(faces: int) -> np.ndarray:
    """(FACES,) which of this many faces of a source set the ranges."""
    return np.linspace(3, faces - 4, FACES).astype(int)


def faces(suite: Path, *, moved: bool) -> np.ndarray:
    """Aligned faces (N, S, S, 3) evenly from every source, `moved` by up to a quarter turn and half the size."""
    images = []
    for name in SUITE:
        every = load(suite, name).images
        images.append(every[calibrating(len(every))])
    together = np.concatenate(images)
    if not moved:
        return together
    generator = np.random.default_rng(0)
    return np.concatenate([together, np.stack([_moved(face, generator) for face in together])])


def _moved(face: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    side = face.shape[0]
    scale, angle = generator.uniform(1.0, 1.6), generator.uniform(-0.8, 0.8)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = side * (0.5 + generator.uniform(-0.1, 0.1, 2))
    return warp(face, invert(np.column_stack([turn, centre - turn @ np.full(2, side / 2)])), side)


def add_int8(manifest: WeightsManifest, calibration: np.ndarray) -> WeightsManifest:
    """The manifest with its int8 form, which is written beside the ONNX file."""
    single = manifest.file(".onnx")
    if b".half" not in single.read_bytes():
        atomic_write(single, with_half_weights(single.read_bytes()))
    model = borrowing(quantised(single.read_bytes(), manifest.inputs.normalise(calibration)), single)
    path = single.with_name(single.stem + INT8)
    atomic_write(path, model)
    golden = Golden.of(
        open_session(path, threads=1).run(
            None, {"faces": manifest.inputs.normalise(pattern(manifest.inputs.size_px)[None])}
        )[0]
    )
    golden = replace(golden, tolerance=round(TOLERANCE * max(map(abs, golden.outputs)), 4))
    return write_manifest(replace(manifest, files=manifest.files | {path.name: ""}, golden_int8=golden))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    for name in options.weights:
        manifest = load_manifest(name)
        add_int8(manifest, faces(options.suite, moved=manifest.labels is None))
        print(name, {file: (manifest.folder / file).stat().st_size for file in load_manifest(name).files})


if __name__ == "__main__":
    main()
