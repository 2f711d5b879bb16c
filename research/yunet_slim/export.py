"""Put a trained detector into the package: safetensors, ONNX, manifest.

    python -m research.yunet_slim.export --weights runs/detector-3/weights.safetensors --shift -1.3

`--shift` is added to the class and object logits, so that the usual threshold of 0.5 gives the wanted number of
false positives (`evaluate --calibrate`).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file

from mien.preprocess import Preprocess
from mien.weights.manifest import WeightsManifest
from research.ship import ship
from research.yunet_slim.slimming import CONFIG


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shift", type=float, default=0.0)
    parser.add_argument("--measured", type=Path, help="JSON of research.yunet_slim.evaluate --out")
    parser.add_argument("--name", default="yunet-slim", help="yunet-slim or yunet-slim-robust")
    parser.add_argument("--out", type=Path, help="folder; else the package")
    options = parser.parse_args(arguments)
    state = load_file(options.weights)
    for name in state:
        if name.startswith("heads.") and name.endswith(".1.bias"):
            state[name][:2] += options.shift
    manifest = WeightsManifest(
        name=options.name,
        network="yunet",
        config=asdict(CONFIG),
        inputs=Preprocess(size_px=320, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        files={f"{options.name}.safetensors": ""},
        licence="Apache-2.0",
        source="YuNet's weights (Apache-2.0; OpenCV model zoo, Shiqi Yu's libfacedetection), slimmed and distilled "
        "from YuNet itself on composites of muxspace, FER2013 and rendered faces: research/yunet_slim/train.py",
        measured=json.loads(options.measured.read_text(encoding="utf-8")) if options.measured else {},
    )
    ship(manifest, state, output="outputs", half=False, multiple_px=32, out=options.out)


if __name__ == "__main__":
    main()
