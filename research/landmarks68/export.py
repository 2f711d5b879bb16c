"""Put trained 68-point weights into the package: half-precision safetensors, ONNX, manifest.

python -m research.landmarks68.export --weights runs/landmarks/landmarks.safetensors --measured measured.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file

from mien.models.landmarks68 import Landmarks68
from mien.preprocess import Preprocess
from mien.weights.export import export_onnx
from mien.weights.golden import Golden
from mien.weights.manifest import SHIPPED, WeightsManifest, write_manifest
from mien.weights.verify import torch_answer
from research.landmarks68.train import CONFIG


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--measured", type=Path, help="JSON of train_landmarks.py --judge")
    options = parser.parse_args()
    folder = SHIPPED / "landmarks68"
    folder.mkdir(parents=True, exist_ok=True)
    half = {k: v.half() if v.is_floating_point() else v for k, v in load_file(options.weights).items()}
    save_file(half, folder / "landmarks68.safetensors")
    network = Landmarks68(CONFIG)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    difference = export_onnx(network, folder / "landmarks68.onnx", size_px=CONFIG.size_px, output="points")
    print(f"ONNX differs from torch by {difference:.1e}")
    inputs = Preprocess(size_px=CONFIG.size_px)
    write_manifest(
        WeightsManifest(
            name="landmarks68",
            network="landmarks68",
            config=asdict(CONFIG),
            inputs=inputs,
            files=dict.fromkeys(("landmarks68.onnx", "landmarks68.safetensors"), ""),
            licence="Apache-2.0",
            source="trained by research/landmarks68/train.py: distilled from a published 68-point network "
            "on FER2013 and muxspace faces",
            measured=json.loads(options.measured.read_text()) if options.measured else {},
            golden=Golden.of(torch_answer(network, inputs)),
            folder=folder,
        )
    )


if __name__ == "__main__":
    main()
