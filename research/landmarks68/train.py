"""Distil the published 68-point network into a light one.

    python -m research.landmarks68.train --packs packs --face-id face_id_mobilefacenet.safetensors \\
        --out runs/landmarks --samples 240000

Student: MobileFaceNet with ReLU6 (PReLU costs six times as much in ONNX Runtime) on 96 pixels, RGB in
ImageNet normalisation, started from a face-identity network. Teacher: points placed by `prepare_faces.py --teacher`
on FER+ and muxspace training faces, and with `--teacher` here its features. Held out: FER+ validation and the
muxspace test people. Resumes from its last checkpoint; a further leg begins from an earlier one's averaged weights:

    python -m research.landmarks68.train --packs packs --start runs/landmarks/last.pt --freeze-norms \\
        --teacher landmark68_mobilefacenet.safetensors --out runs/landmarks-2 --samples 60000 --rate 8e-4
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Generator, Tensor

from mien.augment import transforms
from mien.geometry import FLIP_68
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.nn.mobilefacenet import MobileFaceNetConfig
from mien.preprocess import Preprocess
from research import checkpoint
from research.default.face_identity import face_identity_backbone
from research.landmarks68.teacher import PublishedLandmarker

CONFIG = Landmarks68Config(backbone=MobileFaceNetConfig(activation="relu6", stem_pointwise=True), size_px=96)
INPUTS = Preprocess(size_px=CONFIG.size_px)
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))
MIMIC_WEIGHT = 20.0  # of the teacher's features against the wing loss in pixels
# No flipping: the teacher sees flipped faces 6 % of the eye distance apart, and its own answers are wanted.
NEAR = transforms.Placement(rotate_deg=14, scale=(0.78, 1.3), shift=0.06, flip=0.0)
FAR = transforms.Placement(rotate_deg=30, scale=(0.7, 2.1), shift=0.07, flip=0.0)


class Faces:
    """Canvases and teacher points of one pack."""

    def __init__(self, folder: Path) -> None:
        self.canvas = torch.from_numpy(np.load(folder / "canvas.npy", mmap_mode="c"))
        self.points = torch.from_numpy(np.load(folder / "landmarks.npy"))
        found = np.load(folder / "found.npy")
        with (folder / "faces.csv").open() as file:
            splits = np.array([row["split"] for row in csv.DictReader(file)])
        self.rows = {
            split: torch.from_numpy(np.flatnonzero((splits == split) & found))
            for split in ("train", "valid", "test")
        }

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Canvases (B, 3, 192, 192) uint8, points (B, 68, 2) in canvas pixels."""
        canvas = self.canvas[rows].permute(0, 3, 1, 2)
        return canvas.expand(-1, 3, -1, -1), self.points[rows]


def averaged(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights of an earlier run."""
    state = torch.load(checkpoint, weights_only=True)["average"]
    return {key.removeprefix("module."): value for key, value in state.items() if key.startswith("module.")}


def crops_and_shares(
    canvas: Tensor, points: Tensor, rng: Generator, how: transforms.Placement
) -> tuple[Tensor, Tensor]:
    """Crops in 0..1 and the points as shares of the crop."""
    crops, matrices = transforms.place(canvas, CONFIG.size_px, rng, replace(how, flip=0))
    shares = transforms.move_points(points, matrices) / CONFIG.size_px
    flipped = torch.rand(len(crops), generator=rng) < how.flip
    crops[flipped] = crops[flipped].flip(-1)
    shares[flipped] = shares[flipped][:, FLIP_68] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    return crops, shares


def spoil(x: Tensor, rng: Generator) -> Tensor:
    """What cameras, compression and hands do to faces."""
    x = transforms.colour(x, rng, light=0.4, contrast=0.4, tint=0.15, gamma=0.3)
    x = transforms.grey(x, rng, share=0.3)
    x = transforms.low_resolution(x, rng, share=0.35, least_px=20)
    x = transforms.blur(x, rng, share=0.15, sigma_px=2.5)
    x = transforms.jpeg(x, rng, share=0.1, quality=(15, 70))
    x = transforms.noise(x, rng, share=0.2, sigma=0.08)
    return transforms.occlude(x, rng, share=0.2, area=(0.02, 0.2))


def wing(found: Tensor, wanted: Tensor, *, width: float = 10.0, curve: float = 2.0) -> Tensor:
    """Wing loss in crop pixels (Feng et al., 2018, formula 5): small errors count."""
    gap = (found - wanted).abs() * CONFIG.size_px
    near = width * torch.log1p(gap / curve)
    offset = width - width * float(np.log1p(width / curve))
    return torch.where(gap < width, near, gap - offset).mean()


def normalised_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean point distance over the distance of the outer eye corners, per face (B,)."""
    eyes = (wanted[:, 36] - wanted[:, 45]).norm(dim=-1)
    return (found - wanted).norm(dim=-1).mean(dim=1) / eyes


@contextmanager
def features(network: Landmarks68) -> Iterator[list[Tensor]]:
    """Collects the linear maps at the end of every stage of the backbone; same shapes for student and teacher."""
    seen: list[Tensor] = []
    stages = ("conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5")
    hooks = [
        getattr(network.backbone, name).register_forward_hook(lambda _module, _input, output: seen.append(output))
        for name in stages
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def judge(
    network: Landmarks68, faces: Faces, split: str, how: transforms.Placement, limit: int
) -> dict[str, float]:
    """Normalised mean error on untouched crops placed as `how` says."""
    network.eval()
    rng = torch.Generator().manual_seed(1)
    rows = faces.rows[split]
    rows = rows[torch.linspace(0, len(rows) - 1, min(limit, len(rows))).long()]
    errors = []
    for part in rows.split(128):
        crops, wanted = crops_and_shares(*faces.take(part), rng, how)
        errors.append(normalised_error(network((crops - MEAN) / STD), wanted))
    error = torch.cat(errors)
    return {
        "faces": len(error),
        "mean": error.mean().item(),
        "median": error.median().item(),
        "p95": error.quantile(0.95).item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--face-id", type=Path, help="face_id_mobilefacenet.safetensors, where training starts")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run to start from instead")
    parser.add_argument("--teacher", type=Path, help="landmark68_mobilefacenet.safetensors")
    parser.add_argument("--samples", type=int, default=240_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--freeze-norms", action="store_true", help="batch norms keep their statistics")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge", action="store_true", help="only judge the finished network on all kept faces")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    sets = [Faces(options.packs / "fer"), Faces(options.packs / "mux")]
    network = Landmarks68(CONFIG)
    if options.face_id:
        network.backbone.load_state_dict(face_identity_backbone(options.face_id))
    if options.start:
        network.load_state_dict(averaged(options.start))
    teacher = PublishedLandmarker(options.teacher).network if options.teacher else None
    network = network.to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    exact = transforms.Placement(rotate_deg=0, scale=(1.0, 1.0), shift=0, flip=0)
    moved = transforms.Placement(rotate_deg=8, scale=(0.85, 1.1), shift=0.04, flip=0)
    last = options.out / "last.pt"
    if options.judge:
        average.load_state_dict(torch.load(last, weights_only=True)["average"])
        for name, faces, split in (("FER+ validation", sets[0], "valid"), ("muxspace test", sets[1], "test")):
            for geometry, how in (("aligned", exact), ("moved", moved)):
                print(name, geometry, json.dumps(judge(average.module, faces, split, how, 10**9)))
        return

    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-4)
    steps = options.samples // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, total_steps=steps + 1, pct_start=0.05, cycle_momentum=False
    )
    parts_of_run = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    first = checkpoint.resume(last, **parts_of_run)
    log = (options.out / "log.jsonl").open("a")
    started, loss_sum = time.time(), 0.0
    for step in range(first, steps):
        rng = torch.Generator().manual_seed(options.seed * 1_000_003 + step)  # so that resuming changes nothing
        parts = []
        for faces, share in zip(sets, (0.6, 0.4), strict=True):
            rows = faces.rows["train"]
            picked = rows[torch.randint(len(rows), (round(options.batch * share),), generator=rng)]
            canvas, points = faces.take(picked)
            cut = len(picked) * 7 // 8
            parts.append(crops_and_shares(canvas[:cut], points[:cut], rng, NEAR))
            parts.append(crops_and_shares(canvas[cut:], points[cut:], rng, FAR))
        crops, wanted = (torch.cat(part) for part in zip(*parts, strict=True))
        spoilt = spoil(crops, rng) if torch.rand((), generator=rng) < 0.65 else crops
        x = ((spoilt - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        network.train()
        # Batch statistics of 64 faces move the coordinates by 3 % of the eye distance: the head keeps its own.
        network.output_layer.eval()
        if options.freeze_norms:
            network.eval()
        with features(network) as ours:
            loss = wing(network(x), wanted)
        if teacher is not None:
            with torch.no_grad(), features(teacher) as theirs:
                teacher.backbone(crops.flip(1).contiguous(memory_format=torch.channels_last))  # BGR
            gaps = [(a - b).square().mean() / b.var() for a, b in zip(ours, theirs, strict=True)]
            loss = loss + MIMIC_WEIGHT * torch.stack(gaps).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        loss_sum += loss.item()
        if (step + 1) % 250 == 0 or step + 1 == steps:
            line = {
                "step": step + 1,
                "loss": round(loss_sum / 250, 4),
                "per_s": round((step + 1 - first) * options.batch / (time.time() - started), 1),
                "fer": judge(average.module, sets[0], "valid", exact, 600)["mean"],
                "mux": judge(average.module, sets[1], "valid", exact, 600)["mean"],
                "mux_moved": judge(average.module, sets[1], "valid", moved, 600)["mean"],
            }
            loss_sum = 0.0
            print(json.dumps(line), file=log, flush=True)
            checkpoint.save(last, step + 1, **parts_of_run)
    save_file(
        {k: v.contiguous() for k, v in average.module.state_dict().items()},
        options.out / "landmarks.safetensors",
    )


if __name__ == "__main__":
    main()
