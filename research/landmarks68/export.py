"""Put trained landmark weights into the package: half-precision safetensors, ONNX, manifest.

python -m research.landmarks68.export --weights runs/landmarks-2/weights.safetensors --measured measured.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file

from mien.weights.manifest import WeightsManifest
from research.landmarks68.train import CONFIG, INPUTS
from research.ship import ship


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--measured", type=Path, help="JSON of research.landmarks68.evaluate --out")
    parser.add_argument("--out", type=Path, help="folder; else the package")
    options = parser.parse_args(arguments)
    manifest = WeightsManifest(
        name="landmarks68",
        network="landmarks68",
        config=asdict(CONFIG),
        inputs=INPUTS,
        files={"landmarks68.safetensors": ""},
        licence="Apache-2.0",
        source="trained by research/landmarks68/train.py: distilled from a published 68-point network "
        "on FER2013 and muxspace faces",
        measured=json.loads(options.measured.read_text(encoding="utf-8")) if options.measured else {},
    )
    ship(manifest, load_file(options.weights), output="points", out=options.out)


if __name__ == "__main__":
    main()
