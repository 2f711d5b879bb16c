"""Put a trained roll network into the package: safetensors, ONNX, manifest.

python -m research.roll.export --weights runs/roll/weights.safetensors
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from mien.models.roll import RollConfig
from mien.weights.manifest import WeightsManifest
from research.roll.train import INPUTS, MEAN, STD, crops_of
from research.ship import ship

FACES = 256


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="of research.roll.data: what half precision is tried on"
    )
    parser.add_argument("--out", type=Path, help="folder; else the package")
    options = parser.parse_args(arguments)
    manifest = WeightsManifest(
        name="roll",
        network="roll",
        config=asdict(RollConfig()),
        inputs=INPUTS,
        files={"roll.safetensors": ""},
        licence="Apache-2.0",
        source="trained by research/roll/train.py on FER2013 and muxspace training faces, rotated",
    )
    with np.load(options.data) as arrays:
        canvases = torch.from_numpy(arrays["faces"][:FACES]).permute(0, 3, 1, 2).float() / 255
    crops, _ = crops_of(canvases, torch.Generator().manual_seed(0))
    faces = ((crops - MEAN) / STD).numpy()
    ship(manifest, load_file(options.weights), output="rolls", out=options.out, faces=faces)


if __name__ == "__main__":
    main()
