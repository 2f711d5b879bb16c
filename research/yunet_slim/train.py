"""Teach a slimmer YuNet what YuNet does, or what is true, on composites of faces.

    python -m research.yunet_slim.data ... --out detector
    python -m research.yunet_slim.train --data detector --start yunet_n_dynamic.onnx --teacher yunet_n_dynamic.onnx \\
        --out runs/detector --steps 500

Start: YuNet's published weights; the two widest units at a quarter of the resolution keep half of their channels,
those from which the others can best be told (`slimmed`). With `--teacher` the network learns the published one's
maps and answers. Without, it learns the truth: cells are matched to faces as in the paper (SimOTA, Ge et al.,
"YOLOX", 2021), with the paper's losses; that finds more faces in composites and fewer in photos
(docs/models/yunet-slim.md). With `--hard` the student's composites are noisy, dark, blurred and covered while the teacher
sees them clean; with `--steep` some of a batch are leaning heads, learned from the truth, since the teacher misses
them. Each step draws its composites from its own generator, so a run that was killed goes on as if it had not been.
Shipped: the moving average of the weights.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from mien.faces.yunet import grid
from mien.models.yunet import YuNet, YuNetConfig
from research import checkpoint
from research.yunet_slim.composites import LEAST_PX, CompositeMaker, Source, harder
from research.yunet_slim.yunet_weights import published_state

CONFIG = YuNetConfig(early=(32, 32, 64))
SHARES = {"muxspace": 0.7, "ferplus": 0.12, "views": 0.18}
CENTRE_CELLS = 2.5  # cells around a face's centre that may answer for it
IMITATION = {"maps": 2.0, "face": 1.0, "object": 1.0, "box": 1.0, "points": 0.2}
STEEP = 0.3  # of the truth about leaning heads beside imitation
WEIGHTS = {"object": 1.0, "face": 1.0, "box": 5.0, "points": 0.1}


def slimmed(network: YuNet, images: Tensor) -> dict[str, Tensor]:
    """The state of `CONFIG` that computes most nearly what the published network does on these images.

    Of a unit's 64 maps the 32 are kept that greedily explain most of the others' variance; the next pointwise
    convolution reads the others from them by least squares.
    """
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for layer in (2, 4):  # the units of 64 maps whose width is halved
        with torch.inference_mode():
            maps = F.max_pool2d(network.at_half(F.relu(network.stem(images))), 2)
            seen = network.at_quarter[: layer + 2](maps)
        rows = seen.permute(0, 2, 3, 1).flatten(0, 2)
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:60_000]].double()
        kept = telling(rows, CONFIG.early[layer // 2 - 1])
        with_one = torch.cat([rows[:, kept], torch.ones(len(rows), 1, dtype=rows.dtype)], dim=1)
        fit = torch.linalg.solve(
            with_one.T @ with_one + 1e-4 * torch.eye(with_one.shape[1], dtype=rows.dtype), with_one.T @ rows
        ).float()  # (kept + 1, 64)
        here, following = f"at_quarter.{layer}", f"at_quarter.{layer + 2}.0"
        for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
            state[f"{here}.{name}"] = state[f"{here}.{name}"][kept]
        weight = state[f"{following}.weight"][..., 0, 0]  # (outputs, 64)
        state[f"{following}.weight"] = (weight @ fit[:-1].T)[..., None, None]
        state[f"{following}.bias"] = state[f"{following}.bias"] + weight @ fit[-1]
    return state


def telling(rows: Tensor, count: int) -> Tensor:
    """The columns of (M, C) that greedily leave least of all columns unexplained, in rising order."""
    left = rows - rows.mean(dim=0)
    picked: list[int] = []
    for _ in range(count):
        power = left.square().sum(dim=0)
        gain = (left.T @ left).square().sum(dim=0) / power.clamp_min(1e-9)
        gain[power < 1e-6 * len(rows)] = -1
        gain[picked] = -1
        best = int(gain.argmax())
        picked.append(best)
        axis = left[:, best] / left[:, best].norm().clamp_min(1e-9)
        left = left - axis[:, None] * (axis @ left)
    return torch.tensor(sorted(picked))


def boxes_of(answers: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """Predictions (B, 16, N) -> boxes (B, N, 4) in pixels."""
    centre = (corners.T + answers[:, 2:4]) * strides
    half = answers[:, 4:6].clamp(max=6).exp() * strides / 2
    return torch.cat([centre - half, centre + half], dim=1).transpose(1, 2)


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), broadcast."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp_min(0).prod(dim=-1)
    area = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1)
    return shared / (area - shared).clamp_min(1e-6)


def assigned(
    scores: Tensor, boxes: Tensor, truth: Tensor, corners: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor]:
    """SimOTA: which cells answer for a face, and for which. scores (N,), boxes (N, 4), truth (G, 4)."""
    centres = corners * strides[:, None]  # (N, 2), as YuNet counts
    inside = ((centres[:, None] > truth[:, :2]) & (centres[:, None] < truth[:, 2:])).all(dim=-1)  # (N, G)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    near = ((centres[:, None] - middle).abs() < CENTRE_CELLS * strides[:, None, None]).all(dim=-1)
    cells = (inside | near).any(dim=1).nonzero()[:, 0]
    if not len(cells):
        return cells, cells
    shares = overlaps(boxes[cells, None], truth)  # (M, G)
    cost = -scores[cells].clamp_min(1e-7).log()[:, None] - 3 * (shares + 1e-7).log()
    cost = cost + 1e5 * ~(inside & near)[cells]
    top = shares.topk(min(10, len(cells)), dim=0).values
    counts = top.sum(dim=0).int().clamp_min(1)
    order = cost.argsort(dim=0).argsort(dim=0)  # rank of each cell for each face
    chosen = order < counts
    best = cost.masked_fill(~chosen, float("inf")).min(dim=1)
    picked = chosen.any(dim=1)
    return cells[picked], best.indices[picked]


def box_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """EIoU (Zhang et al., 2021): overlap, distance of centres, differences of sides. (M, 4) each -> (M,)."""
    low, high = torch.minimum(found[:, :2], wanted[:, :2]), torch.maximum(found[:, 2:], wanted[:, 2:])
    hull = (high - low).clamp_min(1e-6).square()  # (M, 2)
    centres = ((found[:, :2] + found[:, 2:]) - (wanted[:, :2] + wanted[:, 2:])) / 2
    sides = (found[:, 2:] - found[:, :2]) - (wanted[:, 2:] - wanted[:, :2])
    distance = centres.square().sum(dim=1) / hull.sum(dim=1)
    return 1 - overlaps(found, wanted) + distance + (sides.square() / hull).sum(dim=1)


def losses(
    answers: Tensor, truth: list[tuple[Tensor, Tensor]], corners: Tensor, strides: Tensor
) -> dict[str, Tensor]:
    """The paper's four losses over a batch; faces too small to be asked for are left out of all of them."""
    boxes = boxes_of(answers, corners, strides)
    with torch.no_grad():
        scores = (answers[:, 0].sigmoid() * answers[:, 1].sigmoid()).sqrt()
    wanted, counted = torch.zeros_like(scores), torch.ones_like(scores)
    parts: dict[str, list[Tensor]] = {"face": [], "box": [], "points": []}
    count = 0
    for i, (faces, points) in enumerate(truth):
        if not len(faces):
            continue
        small = (faces[:, 2:] - faces[:, :2]).prod(dim=1).sqrt() < LEAST_PX
        if small.any():
            centres = corners * strides[:, None]
            around = (centres[:, None] > faces[small, :2] - 4) & (centres[:, None] < faces[small, 2:] + 4)
            counted[i, around.all(dim=-1).any(dim=1)] = 0
        faces, points = faces[~small], points[~small]
        if not len(faces):
            continue
        cells, which = assigned(scores[i], boxes[i].detach(), faces, corners, strides)
        count += len(cells)
        wanted[i, cells], counted[i, cells] = 1.0, 1.0
        quality = overlaps(boxes[i, cells].detach(), faces[which])
        parts["face"].append(F.binary_cross_entropy_with_logits(answers[i, 0, cells], quality, reduction="sum"))
        parts["box"].append(box_loss(boxes[i, cells], faces[which]).sum())
        five = (points[which] / strides[cells, None, None] - corners[cells, None]).flatten(1)
        found = answers[i, 6:, cells].T
        parts["points"].append(F.smooth_l1_loss(found, five, beta=0.11, reduction="sum"))
    total = max(count, 1)
    objects = F.binary_cross_entropy_with_logits(answers[:, 1], wanted, weight=counted, reduction="sum")
    zero = answers.sum() * 0
    return {"object": objects / total} | {
        name: (torch.stack(values).sum() if values else zero) / total for name, values in parts.items()
    }


def inside(network: YuNet, x: Tensor) -> list[Tensor]:
    """The maps at a quarter of the resolution, of the three stages and of the pyramid, then the answers."""
    quarter = network.at_quarter(F.max_pool2d(network.at_half(F.relu(network.stem(x))), 2))
    maps, y = [], quarter
    for stage in network.stages:
        y = stage(F.max_pool2d(y, 2))
        maps.append(y)
    merged = network.pyramid(maps)
    return [quarter, *maps, *merged, network.outputs(merged)]


def imitation(ours: list[Tensor], theirs: list[Tensor]) -> dict[str, Tensor]:
    """How far a network is from the one it was slimmed from, on the same images."""
    *maps, answers = ours
    *wanted, right = theirs
    gaps = [(a - b).square().mean() / b.var() for a, b in zip(maps, wanted, strict=True)]
    sure = right[:, :2].sigmoid()
    weight = sure.prod(dim=1, keepdim=True)  # (B, 1, N)
    total = weight.sum().clamp_min(1.0)
    logits = F.binary_cross_entropy_with_logits(answers[:, :2], sure, reduction="none")
    counted = torch.stack(
        [sure[:, 1].clamp_min(0.01), torch.ones_like(sure[:, 1])], dim=1
    )  # a face needs an object
    logits = (logits * counted).sum(dim=(0, 2)) / total
    offsets = F.smooth_l1_loss(answers[:, 2:], right[:, 2:], beta=0.11, reduction="none") * weight
    return {
        "maps": torch.stack(gaps).sum(),
        "face": logits[0],
        "object": logits[1],
        "box": offsets[:, :4].sum() / total,
        "points": offsets[:, 4:].sum() / total,
    }


@dataclass(frozen=True)
class Batch:
    """Images (B, 3, S, S) in 0..1, channels last, and the boxes (G, 4) and points (G, 5, 2) of each."""

    clean: Tensor
    hard: Tensor  # the same under bad cameras and behind glasses, as often as was asked
    truth: list[tuple[Tensor, Tensor]]


def batch_of(
    maker: CompositeMaker, count: int, seed: tuple[int, ...], *, hard: float = 0.0, steep: bool = False
) -> Batch:
    """Composites; `hard`: share of them made worse."""
    rng = np.random.default_rng(seed)
    composites = [maker.make(rng, steep=steep) for _ in range(count)]
    worse = [harder(one, rng) if hard and rng.random() < hard else one.image for one in composites]
    return Batch(
        images_of([composite.image for composite in composites]),
        images_of(worse),
        [(torch.from_numpy(composite.boxes), torch.from_numpy(composite.points)) for composite in composites],
    )


def images_of(composites: list[np.ndarray]) -> Tensor:
    """(S, S, 3) uint8 each -> (B, 3, S, S) in 0..1."""
    x = torch.from_numpy(np.stack(composites)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last)


def makers(folder: Path, size_px: int) -> CompositeMaker:
    """The sources and backgrounds that `detector_data.py` wrote."""
    sources = [Source.load(folder / f"{name}.npz", share) for name, share in SHARES.items()]
    with np.load(folder / "backgrounds.npz") as arrays:
        return CompositeMaker(sources, [arrays[name] for name in arrays.files], size_px)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of detector_data.py")
    parser.add_argument(
        "--start", type=Path, required=True, help="yunet_n_dynamic.onnx, or the .safetensors of an earlier run"
    )
    parser.add_argument("--teacher", type=Path, help="yunet_n_dynamic.onnx: learn its answers, not the truth")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=512, help="side of the composites in pixels")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--hard", type=float, default=0.0, help="share of the student's composites made worse")
    parser.add_argument(
        "--steep", type=int, default=0, help="of the batch, composites of leaning heads with their truth"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    maker = makers(options.data, options.size)
    network = YuNet(CONFIG)
    if options.start.suffix == ".safetensors":
        network.load_state_dict(load_file(options.start))
    else:
        published = YuNet(YuNetConfig())
        published.load_state_dict(published_state(options.start))
        network.load_state_dict(slimmed(published, batch_of(maker, 16, (options.seed, 10**9)).clean))
    teacher, weights = None, WEIGHTS
    if options.teacher:
        teacher, weights = YuNet(YuNetConfig()).requires_grad_(False), IMITATION
        teacher.load_state_dict(published_state(options.teacher))
        teacher.to(memory_format=torch.channels_last)
    network = network.to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, total_steps=options.steps + 1, pct_start=0.05, cycle_momentum=False
    )
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    last = options.out / "last.pt"
    first = checkpoint.resume(last, **parts)
    corners, strides = (torch.from_numpy(part).float() for part in grid(options.size, options.size))
    log = (options.out / "log.jsonl").open("a")
    weights = weights | ({"steep": STEEP} if options.steep else {})
    started, sums = time.time(), dict.fromkeys(weights, 0.0)
    for step in range(first, options.steps):
        batch = batch_of(maker, options.batch - options.steep, (options.seed, step), hard=options.hard)
        if teacher is None:
            found = losses(network(batch.hard), batch.truth, corners, strides)
        else:
            found = imitation(inside(network, batch.hard), inside(teacher, batch.clean))
        if options.steep:
            batch = batch_of(maker, options.steep, (options.seed, step, 1), hard=options.hard, steep=True)
            true = losses(network(batch.hard), batch.truth, corners, strides)
            found["steep"] = sum(WEIGHTS[name] * value for name, value in true.items())
        optimizer.zero_grad(set_to_none=True)
        sum(weights[name] * value for name, value in found.items()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        for name, value in found.items():
            sums[name] += value.item()
        if (step + 1) % 50 == 0 or step + 1 == options.steps:
            line = {"step": step + 1} | {name: round(value / 50, 4) for name, value in sums.items()}
            line["seconds"] = round(time.time() - started)
            print(json.dumps(line), file=log, flush=True)
            sums = dict.fromkeys(weights, 0.0)
            checkpoint.save(last, step + 1, **parts)
    save_file(
        {k: v.contiguous() for k, v in average.module.state_dict().items()}, options.out / "detector.safetensors"
    )


if __name__ == "__main__":
    main()
