"""Train a slimmed YuNet on composites of faces: by distillation from YuNet, or supervised.

    python -m research.yunet_slim.data ... --out detector
    python -m research.yunet_slim.train --data detector --pretrained yunet_n_dynamic.onnx \\
        --teacher yunet_n_dynamic.onnx --out runs/detector-1 --steps 500

Initialised from YuNet's published weights with half of the channels of the two widest units at a quarter of the
resolution (`slimming.py`), or from the weights of an earlier stage. With `--teacher` the student learns the maps
and outputs of the published network; without, the faces of the composites: cells are assigned to faces as in the
paper (SimOTA, Ge et al., "YOLOX", 2021), which detects more faces in composites and fewer in photos
(docs/models/yunet-slim.md). `--corrupt` makes the student's composites noisy, dark, blurred and occluded while the
teacher sees them clean; `--rolled` adds composites of rolled heads, supervised, since the teacher misses them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mien.faces.yunet import grid
from mien.models.yunet import YuNet, YuNetConfig
from research.run import Run, channels_last
from research.yunet_slim.composites import CompositeMaker, Source, corrupt
from research.yunet_slim.losses import Target, distillation, intermediates, supervised
from research.yunet_slim.slimming import CONFIG, slimmed
from research.yunet_slim.yunet_weights import published_state

SHARES = {"muxspace": 0.7, "ferplus": 0.12, "rendered": 0.18}
ROLLED_WEIGHT = 0.3  # of the supervised losses on rolled heads beside distillation


@dataclass(frozen=True)
class Batch:
    """Images (B, 3, S, S) in 0..1, channels last, with their faces."""

    clean: Tensor
    corrupted: Tensor  # the same images, some of them corrupted
    targets: list[Target]


def batch_of(
    maker: CompositeMaker, count: int, seed: tuple[int, ...], *, corrupted: float = 0.0, rolled: bool = False
) -> Batch:
    """Composites; `corrupted`: the share of them that are."""
    rng = np.random.default_rng(seed)
    composites = [maker.make(rng, rolled=rolled) for _ in range(count)]
    corrupted_images = [
        corrupt(one, rng) if corrupted and rng.random() < corrupted else one.image for one in composites
    ]
    return Batch(
        images_of([composite.image for composite in composites]),
        images_of(corrupted_images),
        [(torch.from_numpy(composite.boxes), torch.from_numpy(composite.points)) for composite in composites],
    )


def images_of(composites: list[np.ndarray]) -> Tensor:
    """(S, S, 3) uint8 each -> (B, 3, S, S) in 0..1."""
    x = torch.from_numpy(np.stack(composites)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last)


def composite_maker(folder: Path, size_px: int) -> CompositeMaker:
    """Of the sources and backgrounds that `data.py` wrote."""
    sources = [Source.load(folder / f"{name}.npz", share) for name, share in SHARES.items()]
    with np.load(folder / "backgrounds.npz") as arrays:
        return CompositeMaker(sources, [arrays[name] for name in arrays.files], size_px)


def yunet(file: Path) -> YuNet:
    """The published network."""
    network = YuNet(YuNetConfig()).requires_grad_(False)
    network.load_state_dict(published_state(file))
    return network


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of research.yunet_slim.data")
    parser.add_argument(
        "--pretrained",
        type=Path,
        required=True,
        help="yunet_n_dynamic.onnx, or weights.safetensors of an earlier stage",
    )
    parser.add_argument("--teacher", type=Path, help="yunet_n_dynamic.onnx; else supervised")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=512, help="side of the composites in pixels")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--corrupt", type=float, default=0.0, help="share of the student's composites")
    parser.add_argument("--rolled", type=int, default=0, help="composites of a batch with rolled heads")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    maker = composite_maker(options.data, options.size)
    network = YuNet(CONFIG)
    if options.pretrained.suffix == ".safetensors":
        network.load_state_dict(load_file(options.pretrained))
    else:
        examples = batch_of(maker, 16, (options.seed, 10**9)).clean
        network.load_state_dict(slimmed(yunet(options.pretrained), examples))
    teacher = yunet(options.teacher) if options.teacher else None
    if teacher is not None:
        channels_last(teacher)
    run = Run(network, options.out, steps=options.steps, lr=options.lr, ema_decay=0.99, grad_clip=10.0,
              options=vars(options))  # fmt: skip
    corners, strides = (torch.from_numpy(part).float() for part in grid(options.size, options.size))
    for step in run:
        network.train()
        batch = batch_of(maker, options.batch - options.rolled, (options.seed, step), corrupted=options.corrupt)
        if teacher is None:
            losses = supervised(network(batch.corrupted), batch.targets, corners, strides)
        else:
            losses = distillation(intermediates(network, batch.corrupted), intermediates(teacher, batch.clean))
        if options.rolled:
            batch = batch_of(
                maker, options.rolled, (options.seed, step, 1), corrupted=options.corrupt, rolled=True
            )  # fmt: skip
            each = supervised(network(batch.corrupted), batch.targets, corners, strides)
            losses["rolled"] = ROLLED_WEIGHT * torch.stack(list(each.values())).sum()
        run.update(losses)
        if run.due(50):
            run.save()


if __name__ == "__main__":
    main()
