"""Which face-identity network is the better start? Frozen features, one logistic regression each.

    python -m research.experiments.compare_backbones --packs packs --mobilefacenet face_id_mobilefacenet.safetensors \\
        --mobilenet face_id_mobilenet224.safetensors

Average-pooled features of aligned faces, each at the side its network was trained on; fitted on 8,000 FER+
training faces (majority label, drawn with seed 0), judged on FER+ validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from mien.augment import transforms
from mien.models.poster_v2 import LIGHT
from mien.nn.mobilefacenet import MobileFaceNet
from research.default.data import LabelledFaces
from research.default.face_identity import face_identity_backbone
from research.default.train import EXACT, MEAN, STD, scores

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def mobilefacenet(file: Path) -> Callable[[Tensor], Tensor]:
    """RGB 0..1 (B, 3, 112, 112) -> (B, 512)."""
    backbone = MobileFaceNet(LIGHT.image).eval()
    backbone.load_state_dict(face_identity_backbone(file))
    return lambda x: backbone((x - MEAN) / STD)[2].mean(dim=(2, 3))


def mobilenet(file: Path) -> Callable[[Tensor], Tensor]:
    """HSE_FaceRec_tf's MobileNet-v1 (Apache-2.0): RGB 0..1 (B, 3, 112, 112) -> (B, 1024)."""
    state = load_file(file)

    def layer(x: Tensor, name: str, stride: int, groups: int) -> Tensor:
        weight = state[f"{name}.weight"].float()
        spare = [max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0) for side in x.shape[-2:]]
        (top, left) = (side // 2 for side in spare)  # TensorFlow's SAME padding: the odd pixel goes below
        x = F.pad(x, (left, spare[1] - left, top, spare[0] - top))
        return F.conv2d(x, weight, state[f"{name}.bias"].float(), stride, groups=groups).clamp(0, 6)

    def run(x: Tensor) -> Tensor:
        x = F.interpolate(x, size=(224, 224), mode="bilinear")  # the side it was trained on
        x = x.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)  # BGR
        x = layer(x, "stem", 2, 1)
        for i, stride in enumerate(STRIDES, 1):
            x = layer(layer(x, f"block.{i}.dw", stride, x.shape[1]), f"block.{i}.pw", 1, 1)
        return x.mean(dim=(2, 3))

    return run


@torch.inference_mode()
def features(network: Callable[[Tensor], Tensor], faces: LabelledFaces, rows: np.ndarray) -> Tensor:
    """(N, channels)."""
    rng = torch.Generator().manual_seed(0)
    parts = torch.from_numpy(rows).split(64)
    return torch.cat([network(transforms.place(faces.images(part), 112, rng, EXACT)[0]) for part in parts])


def regression(x: Tensor, truth: Tensor) -> Callable[[Tensor], Tensor]:
    """Multinomial logistic regression on standardised features, weight decay 1e-3, by L-BFGS."""
    mean, std = x.mean(dim=0), x.std(dim=0) + 1e-6
    head = torch.nn.Linear(x.shape[1], 8)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")
    scaled = (x - mean) / std

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(scaled), truth) + 1e-3 * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return lambda y: head((y - mean) / std)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--mobilefacenet", type=Path, required=True)
    parser.add_argument("--mobilenet", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    faces = LabelledFaces(options.packs / "fer")
    train = np.random.default_rng(0).permutation(faces.rows("train", labelled=True))[:8000]
    valid = faces.rows("valid", labelled=True)
    for name, network in (
        ("MobileFaceNet", mobilefacenet(options.mobilefacenet)),
        ("MobileNet-v1", mobilenet(options.mobilenet)),
    ):
        head = regression(features(network, faces, train), torch.from_numpy(faces.majority[train]))
        with torch.no_grad():
            guess = head(features(network, faces, valid)).numpy()
        print(name, scores(guess, faces.majority[valid]), flush=True)


if __name__ == "__main__":
    main()
