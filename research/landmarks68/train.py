"""Distil the published 68-point network into a lighter one.

    mien data prepare ferplus ferplus.zip --out prepared/ferplus
    python -m research.fer.muxspace_people muxspace.zip --out muxspace
    mien data prepare csv muxspace/people.csv --out prepared/muxspace
    python -m research.landmarks68.train --ferplus prepared/ferplus --muxspace prepared/muxspace \\
        --teacher landmark68_mobilefacenet.safetensors --face-identity face_id_mobilefacenet.safetensors \\
        --out runs/landmarks-1 --images 240000

Student: MobileFaceNet with ReLU6 (PReLU costs six times as much in ONNX Runtime) on 96 RGB pixels in ImageNet
normalisation, initialised from a face-identity network. Targets: the teacher's points on FER+ and muxspace training
faces and, with `--features`, its feature maps. A further training stage starts from the averaged weights of the one
before, its batch norms frozen:

    python -m research.landmarks68.train ... --pretrained runs/landmarks-1/weights.safetensors --freeze-norms \\
        --features --out runs/landmarks-2 --images 60000 --lr 8e-4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from mien.augment import colours, cropping, degradations, occlusion
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.nn.mobilefacenet import MobileFaceNetConfig
from mien.preprocess import Preprocess, aligned_side
from research.landmarks68.evaluate import normalised_error
from research.landmarks68.face_identity import face_identity_backbone
from research.landmarks68.teacher import Faces, Teacher
from research.run import Run

CONFIG = Landmarks68Config(backbone=MobileFaceNetConfig(activation="relu6", stem_pointwise=True), size_px=96)
INPUTS = Preprocess(size_px=CONFIG.size_px)
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))
FEATURE_WEIGHT = 20.0  # of the teacher's features against the wing loss in pixels
# No flips: the teacher locates flipped faces 6 % of the eye distance apart, and its own points are wanted.
NEAR = cropping.RandomAffine(rotate_deg=14, scale=(0.78, 1.3), shift=0.06, flip=0.0)
FAR = cropping.RandomAffine(rotate_deg=30, scale=(0.7, 2.1), shift=0.07, flip=0.0)
STAGES = ("conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5")


def placed(canvas: Tensor, points: Tensor, rng: Generator, how: cropping.RandomAffine) -> tuple[Tensor, Tensor]:
    """Canvases (B, 3, S, S) and points in their pixels -> crops in 0..1, points as shares of the crop's side."""
    aligned_px = aligned_side(canvas.shape[-1], INPUTS.template)
    crops, matrices = cropping.random_affine(canvas, CONFIG.size_px, rng, how, aligned_px=aligned_px)
    return crops, cropping.move_points(points, matrices) / CONFIG.size_px


def corrupt(x: Tensor, rng: Generator) -> Tensor:
    """What cameras, compression and hands do to faces."""
    x = colours.colour(x, rng, brightness=0.4, contrast=0.4, channel_gain=0.15, gamma=0.3)
    x = colours.grey(x, rng, p=0.3)
    x = degradations.low_resolution(x, rng, p=0.35, least_px=20)
    x = degradations.blur(x, rng, p=0.15, sigma_px=2.5)
    x = degradations.jpeg(x, rng, p=0.1, quality=(15, 70))
    x = degradations.noise(x, rng, p=0.2, sigma=0.08)
    return occlusion.occlude(x, rng, p=0.2, area=(0.02, 0.2))


def normalise(crops: Tensor) -> Tensor:
    """Crops in 0..1 -> the network's input."""
    return ((crops - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def wing(points: Tensor, target: Tensor, *, width: float = 10.0, curvature: float = 2.0) -> Tensor:
    """Wing loss in crop pixels (Feng et al., 2018, formula 5)."""
    gap = (points - target).abs() * CONFIG.size_px
    near = width * torch.log1p(gap / curvature)
    offset = width - width * torch.log1p(torch.tensor(width / curvature))
    return torch.where(gap < width, near, gap - offset).mean()


@contextmanager
def features(network: Landmarks68) -> Iterator[list[Tensor]]:
    """Collects the output of every stage of the backbone; student and teacher have the same shapes."""
    outputs: list[Tensor] = []

    def collect(_module: nn.Module, _input: object, output: Tensor) -> None:
        outputs.append(output)

    hooks = [network.backbone.get_submodule(name).register_forward_hook(collect) for name in STAGES]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def feature_loss(network: Landmarks68, teacher: Landmarks68, x: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, 68, 2) of the input, and the distance of the features to the teacher's on the clean crops."""
    with features(network) as ours:
        points: Tensor = network(x)
    with torch.no_grad(), features(teacher) as theirs:
        teacher.backbone(clean.flip(1))  # BGR
    gaps = [(a - b).square().mean() / b.var() for a, b in zip(ours, theirs, strict=True)]
    return points, torch.stack(gaps).mean()


def batch_of(sets: list[Faces], count: int, rng: Generator) -> tuple[Tensor, Tensor]:
    """Crops and points: three in five of FER+, an eighth far off the usual placement."""
    parts = []
    for faces, share in zip(sets, (0.6, 0.4), strict=True):
        rows = faces.rows("train")
        canvas, points = faces.take(rows[torch.randint(len(rows), (round(count * share),), generator=rng)])
        near = len(canvas) * 7 // 8
        parts.append(placed(canvas[:near], points[:near], rng, NEAR))
        parts.append(placed(canvas[near:], points[near:], rng, FAR))
    return torch.cat([crops for crops, _ in parts]), torch.cat([points for _, points in parts])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True, help="prepared")
    parser.add_argument("--muxspace", type=Path, required=True, help="prepared, with people in splits")
    parser.add_argument("--teacher", type=Path, required=True, help="landmark68_mobilefacenet.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--face-identity", type=Path, help="face_id_mobilefacenet.safetensors: initialises the backbone"
    )
    parser.add_argument("--pretrained", type=Path, help="weights of an earlier stage, to start from")
    parser.add_argument("--features", action="store_true", help="learn the teacher's feature maps, too")
    parser.add_argument("--freeze-norms", action="store_true", help="batch norms keep their statistics")
    parser.add_argument("--images", type=int, default=240_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    teacher = Teacher(options.teacher)
    sets = [
        Faces(folder, options.out.parent / "teacher", teacher) for folder in (options.ferplus, options.muxspace)
    ]
    network = Landmarks68(CONFIG)
    if options.face_identity:
        network.backbone.load_state_dict(face_identity_backbone(options.face_identity))
    if options.pretrained:
        network.load_state_dict(load_file(options.pretrained))
    run = Run(
        network, options.out, steps=options.images // options.batch, lr=options.lr, options=vars(options)
    )  # fmt: skip
    for step in run:
        rng = Generator().manual_seed(options.seed * 1_000_003 + step)
        clean, target = batch_of(sets, options.batch, rng)
        crops = corrupt(clean, rng) if torch.rand((), generator=rng) < 0.65 else clean
        network.train(not options.freeze_norms)
        # Statistics of 64 faces move the coordinates by 3 % of the eye distance: the head keeps its own.
        network.output_layer.eval()
        if options.features:
            points, distance = feature_loss(network, teacher.network, normalise(crops), clean)
            losses = {"wing": wing(points, target), "features": FEATURE_WEIGHT * distance}
        else:
            losses = {"wing": wing(network(normalise(crops)), target)}
        run.update(losses)
        if run.due(250):
            nme = [normalised_error(run.ema.module, faces, "valid", limit=600) for faces in sets]
            run.save(
                **{f"nme_{faces.store.header.set}": float(e.mean()) for faces, e in zip(sets, nme, strict=True)}
            )


if __name__ == "__main__":
    main()
