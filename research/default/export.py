"""Choose the operating points of a finished run on half of FER+ validation and put it into the package.

    python -m research.default.export --run runs/mine --ferplus ferplus.zip --name mine

Training drew class c with the frequency f_c^(1-power) of the set's; a prior is a bias -k log f_c on the logits.
    natural   the k with the best accuracy
    balanced  the k with the best balanced accuracy
    default   the best balanced accuracy within one point of the best accuracy: the documented operating point
The temperature minimises the log loss under "default". Logits are those of the face and its horizontal flip,
averaged, through the pipeline of prediction (`--crops`). Everything on the first half of FER+ validation
(`first_half`) without the images that repeat one of training: the other half and the muxspace people choose
nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from mien.pipeline.classifier import calibrated
from mien.weights.export import export_onnx
from mien.weights.fill import empty_network, load_network
from mien.weights.golden import Golden
from mien.weights.manifest import SHIPPED, WeightsManifest, load_manifest, write_manifest
from mien.weights.verify import torch_answer
from research.default.calibrate import logits_of
from research.default.export_first import TRAIN_COUNTS, judged
from research.held_out import ferplus_validation, first_half, without_repeats

STRENGTHS = np.linspace(-0.6, 1.2, 37)


def operating_points(z: np.ndarray, truth: np.ndarray) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Temperature and priors of logits (N, 8)."""
    frequency = np.log(TRAIN_COUNTS / TRAIN_COUNTS.sum())
    table = {k: judged((z - k * frequency).argmax(axis=1), truth) for k in STRENGTHS}
    best = max(accuracy for accuracy, _ in table.values())
    near = {k: recall for k, (accuracy, recall) in table.items() if accuracy >= best - 0.01}
    chosen = {
        "default": max(near, key=near.__getitem__),
        "natural": max(table, key=lambda k: table[k][0]),
        "balanced": max(table, key=lambda k: table[k][1]),
    }
    for name, k in chosen.items():
        print(f"{name:9s} k = {k:+.2f}: accuracy {table[k][0]:.4f}, balanced accuracy {table[k][1]:.4f}")
    bias = {name: -k * frequency for name, k in chosen.items()}

    def loss(temperature: float) -> float:
        probabilities = calibrated(z, temperature, bias["default"] / temperature)
        return float(-np.log(probabilities[np.arange(len(z)), truth]).mean())

    temperature = round(float(min(np.geomspace(0.3, 3, 200), key=loss)), 4)
    print(f"temperature {temperature:.3f}: log loss {loss(1.0):.4f} -> {loss(temperature):.4f}")
    return temperature, {
        name: tuple(round(float(b), 4) for b in values / temperature) for name, values in bias.items()
    }


def package(manifest: WeightsManifest, name: str, source: str) -> None:
    """Half-precision safetensors, ONNX, and the manifest with what was chosen."""
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    half = {key: value.half() if value.is_floating_point() else value for key, value in
            load_network(str(manifest.folder)).state_dict().items()}  # fmt: skip
    save_file({key: value.contiguous() for key, value in half.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.safetensors").chmod(0o644)
    network = empty_network(manifest)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    difference = export_onnx(network, folder / f"{name}.onnx", size_px=manifest.inputs.size_px, output="logits")
    print(f"ONNX differs from torch by {difference:.1e}")
    write_manifest(
        replace(
            manifest,
            name=name,
            files=dict.fromkeys((f"{name}.onnx", f"{name}.safetensors"), ""),
            licence="Apache-2.0",
            source=source,
            measured={},
            golden=Golden.of(torch_answer(network, manifest.inputs)),
            folder=folder,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", default="", help="where the weights come from; else as the run says")
    options = parser.parse_args()

    manifest = replace(load_manifest(str(options.run / "weights")), tta=True)
    kept = ferplus_validation(options.ferplus)
    chooses = first_half(kept.groups) & without_repeats(kept, options.ferplus)
    z = logits_of(manifest, kept)
    temperature, priors = operating_points(z[chooses], kept.truth[chooses])
    package(
        replace(manifest, temperature=temperature, priors=priors), options.name, options.source or manifest.source
    )


if __name__ == "__main__":
    main()
