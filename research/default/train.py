"""Train the expression network of the package on FER+ and muxspace.

    python -m research.default.train backbone --packs packs --out runs/backbone \\
        --face-id face_id_mobilefacenet.safetensors
    python -m research.default.train full  --packs packs --backbone runs/backbone/average.safetensors \\
        --landmarks runs/landmarks/landmarks.safetensors --out runs/expression

First the image backbone alone under global average pooling, from a face-identity network; then POSTER++ in its
light form with the 68-point backbone frozen. Fifteen outputs: eight FER+ classes (votes as distributions) and
the seven of the original FER2013 labels, which hold six times the fear. `package_expression.py` folds
them into eight. Resumes from its last checkpoint; every step draws from its own seed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

from mien.augment import transforms
from mien.labels import FER2013, FERPLUS
from mien.models.poster_v2 import LIGHT, PosterV2
from mien.nn.mobilefacenet import MobileFaceNet
from mien.preprocess import Preprocess
from research import checkpoint
from research.default.data import Draw, LabelledFaces
from research.default.face_identity import face_identity_backbone

INPUTS = Preprocess(size_px=LIGHT.size_px)
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))
PLACE = transforms.Placement(rotate_deg=9, scale=(0.87, 1.15), shift=0.035, flip=0.5)
EXACT = transforms.Placement(rotate_deg=0, scale=(1.0, 1.0), shift=0, flip=0)


class BackboneClassifier(nn.Module):
    """The image backbone under average pooling and one linear layer."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.backbone = MobileFaceNet(LIGHT.image)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(self.backbone.out_channels[2], outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.backbone(x)[2].mean(dim=(2, 3))))


def spoil(x: Tensor, rng: Generator, *, sharp: bool) -> Tensor:
    """What cameras, compression and hands do to faces. Images of 48 pixels are small and grey already."""
    x = transforms.colour(x, rng, light=0.3, contrast=0.3, tint=0.1, gamma=0.25)
    x = transforms.grey(x, rng, share=0.4 if sharp else 0.7)
    if sharp:
        x = transforms.low_resolution(x, rng, share=0.5, least_px=24)
        x = transforms.blur(x, rng, share=0.1, sigma_px=1.5)
        x = transforms.jpeg(x, rng, share=0.2, quality=(20, 80))
    x = transforms.noise(x, rng, share=0.1, sigma=0.04)
    return transforms.occlude(x, rng, share=0.3, area=(0.02, 0.15))


def objective(
    outputs: Tensor, plus: Tensor, original: Tensor, *, smoothing: float, original_share: float
) -> Tensor:
    """Cross entropy on the vote distribution, and on the original label where there is one."""
    k = len(FERPLUS)
    plus = plus * (1 - smoothing) + smoothing / k
    loss = F.cross_entropy(outputs[:, :k], plus)
    known = original.sum(dim=1) > 0
    if known.any():
        loss = (
            loss
            + original_share
            * F.cross_entropy(outputs[known, k:], original[known], label_smoothing=smoothing)
            * known.float().mean()
        )
    return loss


@torch.inference_mode()
def outputs_of(
    network: nn.Module, faces: LabelledFaces, rows: np.ndarray, size_px: int, *, flip: bool = False
) -> np.ndarray:
    """Network outputs (N, 15) on exactly placed faces."""
    network.eval()
    rng = torch.Generator().manual_seed(0)
    found = []
    for part in torch.from_numpy(rows).split(128):
        crops, _ = transforms.place(faces.images(part), size_px, rng, EXACT)
        x = ((crops - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        y = network(x)
        found.append((y + network(x.flip(-1))) / 2 if flip else y)
    return torch.cat(found).numpy()


def scores(outputs: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    """Accuracy and balanced accuracy of the FER+ outputs over the classes present."""
    guess = outputs[:, : len(FERPLUS)].argmax(axis=1)
    recall = {name: float((guess[truth == i] == i).mean()) for i, name in enumerate(FERPLUS) if (truth == i).any()}
    return {
        "accuracy": round(float((guess == truth).mean()), 4),
        "balanced": round(float(np.mean(list(recall.values()))), 4),
        "recall": {name: round(value, 3) for name, value in recall.items()},
    }


def build(options: argparse.Namespace) -> nn.Module:
    outputs = len(FERPLUS) + len(FER2013)
    if options.network == "backbone":
        network = BackboneClassifier(outputs)
        network.backbone.load_state_dict(face_identity_backbone(options.face_id))
        return network
    network = PosterV2(replace(LIGHT, classes=outputs))
    backbone = {k[6:]: v for k, v in load_file(options.backbone).items() if k.startswith("backbone.")}
    network.image_backbone.load_state_dict(backbone)
    points = {k[6:]: v for k, v in load_file(options.landmarks).items() if k.startswith("backbone.")}
    network.landmark_backbone.load_state_dict(points)
    freeze(network)
    return network


# Of the full network: the landmark backbone, and the image backbone down to a quarter of the resolution, which
# is half of the cost and has been trained before.
FROZEN = (
    "landmark_backbone",
    *(f"image_backbone.{part}" for part in ("conv1", "conv2_dw", "conv2_pw", "conv_23", "conv_3")),
)


def freeze(network: nn.Module) -> None:
    """Keep the FROZEN parts as they are, batch statistics included. Call after every `train()`."""
    for name in FROZEN:
        network.get_submodule(name).eval().requires_grad_(False)


def parameter_groups(network: nn.Module, rate: float, decay: float) -> list[dict[str, object]]:
    """The pretrained backbone at a fraction of the rate; no weight decay on vectors."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            share = 0.5 if name.startswith("backbone.") else 0.25 if name.startswith("image_backbone.") else 1.0
            groups.setdefault((rate * share, decay if parameter.dim() > 1 else 0.0), []).append(parameter)
    return [{"params": p, "lr": lr, "weight_decay": wd} for (lr, wd), p in groups.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["backbone", "full"])
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--face-id", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--landmarks", type=Path)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=LIGHT.size_px)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--power", type=float, default=0.5, help="of the class frequency in drawing")
    parser.add_argument("--muxspace-power", type=float, default=0.5, help="the same for muxspace")
    parser.add_argument("--muxspace", type=float, default=0.2, help="share of each batch")
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--original-share", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    fer, mux = LabelledFaces(options.packs / "fer"), LabelledFaces(options.packs / "mux")
    draws = [
        (Draw(fer, "train", options.power), 1 - options.muxspace),
        (Draw(mux, "train", options.muxspace_power), options.muxspace),
    ]
    validation = fer.rows("valid", labelled=True)
    network = build(options).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(parameter_groups(network, options.rate, options.decay), lr=options.rate)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    steps = options.samples // options.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))),
    )
    last = options.out / "last.pt"
    parts_of_run = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    first = checkpoint.resume(last, **parts_of_run)
    log = (options.out / "log.jsonl").open("a")
    print(json.dumps({"options": {k: str(v) for k, v in vars(options).items()}}), file=log, flush=True)
    started, total = time.time(), 0.0
    for step in range(first, steps):
        rng = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        parts = [draw(round(options.batch * share), rng) for draw, share in draws]
        plus, original = (torch.cat([part[i] for part in parts]) for i in (1, 2))
        crops = [transforms.place(canvas, options.size, rng, PLACE)[0] for canvas, _, _ in parts]
        spoilt = torch.cat([spoil(x, rng, sharp=i == 1) for i, x in enumerate(crops)])
        x = ((spoilt - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        network.train()
        if options.network == "full":
            freeze(network)
        loss = objective(
            network(x), plus, original, smoothing=options.smoothing, original_share=options.original_share
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        total += loss.item()
        if (step + 1) % 400 == 0 or step + 1 == steps:
            line: dict[str, object] = {
                "step": step + 1,
                "of": steps,
                "loss": round(total / 400, 4),
                "per_s": round((step + 1 - first) * options.batch / (time.time() - started), 1),
            }
            outputs = outputs_of(average.module, fer, validation, options.size)
            line["validation"] = scores(outputs, fer.majority[validation])
            total = 0.0
            print(json.dumps(line), file=log, flush=True)
            checkpoint.save(last, step + 1, **parts_of_run)
            save_file(
                {k: v.contiguous() for k, v in average.module.state_dict().items()},
                options.out / "average.safetensors",
            )


if __name__ == "__main__":
    main()
