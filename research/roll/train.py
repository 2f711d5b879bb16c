"""Train the roll network.

    python -m research.roll.train --data roll.npz --out runs/roll

Every face is rotated by a uniform angle, its box jittered in size and place, and corrupted as landmark training
does. The target is a von Mises distribution around the roll; for a part of an image without a face it is uniform.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mien.models.roll import BINS, RollConfig
from mien.preprocess import Preprocess
from research.landmarks68.train import corrupt
from research.roll.data import SHOWN
from research.run import Run

INPUTS = Preprocess(size_px=RollConfig().size_px)
CROP = 1.3  # side of the crop in face boxes
CONCENTRATION = 22.0  # of the target: a standard deviation of about 12 degrees
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))


def crops_of(canvases: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Canvases (B, 3, S, S) in 0..1 -> crops (B, 3, 48, 48), and by how many degrees (B,) each is rotated."""
    count = len(canvases)
    angle = torch.rand(count, generator=rng) * 360
    far = torch.rand(count, generator=rng) < 0.2  # a loose box, or the whole image
    scale = torch.exp((torch.rand(count, generator=rng) - 0.5) * 0.6) * torch.where(far, 1.5, 1.0) * CROP / SHOWN
    shift = torch.randn(count, 2, generator=rng) * 0.05
    radians = torch.deg2rad(angle)
    cos, sin = torch.cos(radians) * scale, torch.sin(radians) * scale
    # From the crop to the canvas: a face rotated clockwise is sampled with the opposite rotation.
    matrix = torch.stack([torch.stack([cos, sin, shift[:, 0]], 1), torch.stack([-sin, cos, shift[:, 1]], 1)], 1)
    grid = F.affine_grid(matrix, [count, 3, INPUTS.size_px, INPUTS.size_px], align_corners=False)
    black = torch.rand(count, generator=rng) < 0.5
    reduced = F.avg_pool2d(canvases, 2) if CROP / SHOWN * canvases.shape[-1] > INPUTS.size_px else canvases
    border = F.grid_sample(reduced, grid, padding_mode="border", align_corners=False)
    zeros = F.grid_sample(reduced, grid, padding_mode="zeros", align_corners=False)
    return torch.where(black[:, None, None, None], zeros, border), angle


def target_of(roll: Tensor) -> Tensor:
    """Rolls (B,) in degrees -> probabilities (B, 24)."""
    centres = torch.arange(BINS) * (360 / BINS)
    return F.softmax(CONCENTRATION * torch.cos(torch.deg2rad(roll[:, None] - centres)), dim=1)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="of research.roll.data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    with np.load(options.data) as arrays:
        faces, rolls = torch.from_numpy(arrays["faces"]), torch.from_numpy(arrays["rolls"])
        backgrounds = torch.from_numpy(arrays["backgrounds"])
    run = Run(
        RollConfig().build(), options.out, steps=options.steps, lr=options.lr, options=vars(options),
        weight_decay=1e-3, grad_clip=5.0,
    )  # fmt: skip
    empty = options.batch // 8
    for step in run:
        rng = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        rows = torch.randint(len(faces), (options.batch - empty,), generator=rng)
        parts = torch.randint(len(backgrounds), (empty,), generator=rng)
        canvases = torch.cat([faces[rows], backgrounds[parts]]).permute(0, 3, 1, 2).float() / 255
        crops, angle = crops_of(canvases, rng)
        target = target_of(angle[: len(rows)] + rolls[rows])
        target = torch.cat([target, torch.full((empty, BINS), 1 / BINS)])
        logits = run.network(((corrupt(crops, rng) - MEAN) / STD).contiguous(memory_format=torch.channels_last))
        run.update({"roll": -(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean()})
        if run.due(200):
            run.save()
            print(run.history[-1], flush=True)


if __name__ == "__main__":
    main()
