"""Files of the package from checkpoints: safetensors and ONNX in half precision, and a manifest to be calibrated.

    python -m research.fer.export bare_backbone RUN/best.safetensors --name default --suite suite --out weights
    python -m research.fer.export poster A.safetensors=0.4 B.safetensors=0.6 --name poster --borrow --suite suite \\
        --out weights

Writes the folder `weights/NAME`. Of fifteen outputs the first eight are kept: adding those of the FER2013 labels in
any share gained nothing that a prior does not give. An ONNX file that moves a probability of some of the suite's
faces by more than 0.001 against float32 is refused. A minute on a free core; then `research.fer.measure` and
`.calibrate`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mien.media.file_state import sha256
from mien.weights.manifest import WeightsManifest
from research.fer.checkpoint import build, soup, votes_only
from research.fer.suite import INPUTS, SUITE, load
from research.ship import ship

FACES = 24  # of each source, for the check of the ONNX file
SOURCE = (
    "trained on FER+, muxspace, CFEE, SFEW train, faces of three classes of KDEF and stock photos, and wild7; "
    "docs/models/default.md tells the steps"
)

TRAINED_ON = (
    "ferplus/train",
    "fer2013/train",
    "muxspace",
    "cfee/train",
    "sfew/train",
    "kdef",
    "affectnet",  # wild7 looks like a part of it, nobody can say which
    "csv:d5038d14325d55e1c1bd56f236f9360395260346e050bda0fea88dfd7bbeaeb9/train",  # wild7.zip
    "csv:4409e01cbfb8244419c7190a2e94a1ad7074ea280a3801724aaddc86f70a2ead/train",  # kdef3.zip
    "csv:a6babd922a24ef5d97ff7379eda40583806b2918118936a11c150e2a5f22e976/train",  # stock_cdf.zip
    "csv:6f825c6c5f1b9f94dacfdc7e8e0754e0cca68a732bc87165c2bdddb3b7feb7e3/train",  # sfew.zip
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("checkpoints", nargs="+", help="FILE, or FILE=SHARE of the mean")
    parser.add_argument("--name", required=True)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--borrow", action="store_true", help="ONNX without the tensors of the safetensors file")
    options = parser.parse_args(arguments)
    shares = {}
    for argument in options.checkpoints:
        file, _, share = argument.partition("=")
        shares[Path(file)] = float(share or 1 / len(options.checkpoints))
    network = build(options.network)
    made_of = [{"file": file.name, "share": share, "sha256": sha256(file)} for file, share in shares.items()]
    manifest = WeightsManifest(
        name=options.name,
        network=options.network,
        config=asdict(network.config),  # type: ignore[call-overload]  # every network has its config
        inputs=INPUTS,
        files={f"{options.name}.safetensors": ""},
        licence="Apache-2.0",
        source=SOURCE,
        labels="ferplus",
        trained_on=TRAINED_ON,
        tta=True,
        priors={"default": (0.0,) * 8},
        notes=(f"checkpoints: {json.dumps(made_of)}",),
    )
    faces = INPUTS.normalise(np.concatenate([load(options.suite, name).images[:FACES] for name in SUITE]))
    ship(
        manifest,
        votes_only(soup(shares)),
        output="logits",
        out=options.out / options.name,
        faces=faces,
        borrow=options.borrow,
    )


if __name__ == "__main__":
    main()
