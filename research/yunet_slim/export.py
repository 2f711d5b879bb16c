"""Put a trained detector into the package: safetensors, ONNX, manifest.

    python -m research.yunet_slim.export --weights runs/detector/detector.safetensors --shift -1.3

`--shift` is added to the class and object logits, so that the usual threshold of 0.5 gives the wanted number of
false alarms (`evaluate_detector.py --calibrate`).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file

from mien.models.yunet import YuNet
from mien.preprocess import Preprocess
from mien.weights.export import export_onnx
from mien.weights.golden import Golden
from mien.weights.manifest import SHIPPED, WeightsManifest, write_manifest
from mien.weights.verify import torch_answer
from research.yunet_slim.train import CONFIG

INPUTS = Preprocess(size_px=320, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shift", type=float, default=0.0)
    parser.add_argument("--measured", type=Path, help="JSON of evaluate_detector.py --out")
    parser.add_argument("--name", default="yunet-slim", help="yunet_slim or yunet-slim-robust")
    parser.add_argument("--out", type=Path, help="else into the package")
    options = parser.parse_args()
    folder = options.out or SHIPPED / options.name
    folder.mkdir(parents=True, exist_ok=True)
    state = load_file(options.weights)
    for name in state:
        if name.startswith("heads.") and name.endswith(".1.bias"):
            state[name][:2] += options.shift
    save_file(state, folder / f"{options.name}.safetensors")
    network = YuNet(CONFIG).eval()
    network.load_state_dict(state)
    difference = export_onnx(
        network, folder / f"{options.name}.onnx", size_px=INPUTS.size_px, output="answers", multiple_px=32
    )
    print(f"ONNX differs from torch by {difference:.1e}")
    write_manifest(
        WeightsManifest(
            name=options.name,
            network="yunet",
            config=asdict(CONFIG),
            inputs=INPUTS,
            files=dict.fromkeys((f"{options.name}.onnx", f"{options.name}.safetensors"), ""),
            licence="Apache-2.0",
            source="YuNet's weights (Apache-2.0; OpenCV model zoo, Shiqi Yu's libfacedetection), slimmed and "
            "taught by YuNet itself on composites of muxspace, FER2013 and rendered faces: research/yunet_slim/train.py",
            measured=json.loads(options.measured.read_text()) if options.measured else {},
            golden=Golden.of(torch_answer(network, INPUTS)),
            folder=folder,
        )
    )


if __name__ == "__main__":
    main()
