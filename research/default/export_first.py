"""Choose the operating point on FER+ validation and put the expression weights into the package.

    python -m research.default.export_first --weights runs/expression/average.safetensors --ferplus ferplus.zip

The fifteen outputs become eight by one linear map, so that the file stays one network with one head:
    z = z_FER+ + a * z_FER2013     (contempt, which FER2013 lacks, gets the mean of the seven)
Training drew class c with frequency f_c^(1-power) of the set's; a prior is a bias -k log f_c on the logits.
    natural   the k with the best accuracy on FER+ validation
    balanced  the k with the best balanced accuracy
    default   the best balanced accuracy within half a point of the best accuracy: the documented operating point
`a` is the one with the best default, the temperature minimises the log loss under "default". Logits are those of
the face and its horizontal flip, averaged. All on FER+ validation, through the pipeline of prediction (`--crops`).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mien.labels import FER2013, FERPLUS
from mien.models.poster_v2 import LIGHT, PosterV2
from mien.pipeline.classifier import calibrated
from mien.preprocess import Preprocess
from mien.weights.export import export_onnx
from mien.weights.golden import Golden
from mien.weights.manifest import SHIPPED, WeightsManifest, write_manifest
from mien.weights.verify import torch_answer
from research.held_out import aligned, ferplus_validation

# Majority labels of FER2013Train under the FER+ votes, in the order of FERPLUS (README of FER+: 28,706 images).
TRAIN_COUNTS = np.array([9364, 7410, 3378, 3402, 2398, 175, 648, 162])
INPUTS = Preprocess(size_px=LIGHT.size_px)


@torch.inference_mode()
def outputs(network: PosterV2, crops: np.ndarray) -> np.ndarray:
    """Averaged over each face and its horizontal flip (N, 15)."""
    network.eval()
    parts = []
    for i in range(0, len(crops), 64):
        x = torch.from_numpy(INPUTS.normalise(crops[i : i + 64]))
        parts.append(((network(x) + network(x.flip(-1))) / 2).numpy())
    return np.concatenate(parts)


def folding(share: float) -> np.ndarray:
    """The linear map (8, 15) from all outputs to eight."""
    matrix = np.zeros((len(FERPLUS), len(FERPLUS) + len(FER2013)))
    matrix[:, : len(FERPLUS)] = np.eye(len(FERPLUS))
    for row, label in enumerate(FERPLUS):
        if label in FER2013:
            matrix[row, len(FERPLUS) + FER2013.index(label)] = share
        else:
            matrix[row, len(FERPLUS) :] = share / len(FER2013)
    return matrix


def judged(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Accuracy and balanced accuracy."""
    recall = [(guess[truth == label] == label).mean() for label in np.unique(truth)]
    return float((guess == truth).mean()), float(np.mean(recall))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--name", default="default")
    options = parser.parse_args()

    network = PosterV2(replace(LIGHT, classes=len(FERPLUS) + len(FER2013)))
    network.load_state_dict(load_file(options.weights))
    kept = ferplus_validation(options.ferplus)
    z = outputs(network, aligned(kept, INPUTS))
    frequency = np.log(TRAIN_COUNTS / TRAIN_COUNTS.sum())
    strengths = np.linspace(-0.6, 1.2, 37)
    table = {
        (share, k): judged((z @ folding(share).T - k * frequency).argmax(axis=1), kept.truth)
        for share in (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
        for k in strengths
    }
    best = max(accuracy for accuracy, _ in table.values())
    near = {point: recall for point, (accuracy, recall) in table.items() if accuracy >= best - 0.005}
    share, default = max(near, key=near.__getitem__)
    of_share = {k: value for (a, k), value in table.items() if a == share}
    chosen = {
        "default": default,
        "natural": max(of_share, key=lambda k: of_share[k][0]),
        "balanced": max(of_share, key=lambda k: of_share[k][1]),
    }
    print(f"share of the FER2013 outputs: {share}")
    for name, k in chosen.items():
        print(f"{name:9s} k = {k:+.2f}: accuracy {of_share[k][0]:.4f}, balanced accuracy {of_share[k][1]:.4f}")
    logits = z @ folding(share).T
    bias = {name: -k * frequency for name, k in chosen.items()}

    def likelihood(temperature: float) -> float:
        probabilities = calibrated(logits, temperature, bias["default"] / temperature)
        return float(-np.log(probabilities[np.arange(len(z)), kept.truth]).mean())

    temperature = float(min(np.geomspace(0.3, 3, 200), key=likelihood))
    print(f"temperature {temperature:.3f}: log loss {likelihood(1.0):.4f} -> {likelihood(temperature):.4f}")
    package(network, share, temperature, {n: tuple(b / temperature) for n, b in bias.items()}, options.name)


def package(
    network: PosterV2, share: float, temperature: float, priors: dict[str, tuple[float, ...]], name: str
) -> None:
    """Fold the head, write half-precision safetensors, ONNX and the manifest."""
    matrix = torch.from_numpy(folding(share)).float()
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = dict(network.state_dict())
    state["head.weight"], state["head.bias"] = matrix @ state["head.weight"], matrix @ state["head.bias"]
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    save_file({key: value.contiguous() for key, value in half.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.safetensors").chmod(0o644)
    folded = PosterV2(LIGHT)
    folded.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in half.items()})
    difference = export_onnx(folded, folder / f"{name}.onnx", size_px=LIGHT.size_px, output="logits")
    print(f"ONNX differs from torch by {difference:.1e}")
    write_manifest(
        WeightsManifest(
            name=name,
            network="poster_v2",
            config=asdict(LIGHT),
            inputs=INPUTS,
            files=dict.fromkeys((f"{name}.onnx", f"{name}.safetensors"), ""),
            labels="ferplus",
            tta=True,
            temperature=round(temperature, 4),
            priors={key: tuple(round(float(b), 4) for b in bias) for key, bias in priors.items()},
            licence="Apache-2.0",
            source="trained by research/default/train.py on FER2013 images (FER+ votes and original labels) "
            "and muxspace; image backbone started from a face-identity MobileFaceNet (foamliu, Apache-2.0)",
            golden=Golden.of(torch_answer(folded, INPUTS)),
            folder=folder,
        )
    )


if __name__ == "__main__":
    main()
