"""What each part of PhaNet (re-derived) is worth, on rendered faces of known expression and head pose.

    mien data render ... --out views
    python -m research.experiments.phanet_ablation train    --views views --out runs/full-0 --start default --configuration full
    python -m research.experiments.phanet_ablation ablation --views views --out runs --start default --seeds 3 > ablation.md

`train` trains one configuration from one seed, keeps the epoch that is best on the validation identities and judges
it once on the test identities (`result.json`). `ablation` does so for every configuration and seed, with the same
images, steps and augmentation, and prints the table; finished runs are not repeated. An interrupted run goes on
from its last epoch.

The images show a turned face in a square with a margin; they are not aligned. Pose classes are the yaws that the
set was rendered at, or those of them that --yaws names.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import mien
from mien.augment import transforms
from mien.labels import FERPLUS, Expression
from mien.models.phanet import LIGHT, SMALL, PhaNet, PhaNetConfig, PhaNetLoss, flipped_poses
from mien.preprocess import Preprocess
from research import checkpoint

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "all-pose-gradient": {"pose_gradient": 1.0},
    "no-attention": {"attention": False},
    "no-selection": {"scale_selection": False},
    "no-pose": {"poses": 0},
    "plain": {"attention": False, "scale_selection": False, "poses": 0},
}
FORMS = {"light": LIGHT, "small": SMALL}
INPUTS = Preprocess(size_px=LIGHT.size_px)
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))
PLACE = transforms.Placement(rotate_deg=5, scale=(0.9, 1.1), shift=0.02, flip=0.5)
EXACT = transforms.Placement(rotate_deg=0, scale=(1.0, 1.0), shift=0, flip=0)


@dataclass(frozen=True, kw_only=True)
class Views:
    """Rendered faces in memory."""

    images: Tensor  # (N, 3, S, S) uint8
    expression: Tensor  # (N,) index in `classes`
    pose: Tensor  # (N,) index in `yaws`
    split: np.ndarray  # (N,) train, valid or test
    classes: tuple[Expression, ...]
    yaws: tuple[float, ...]  # degrees, ascending and symmetric, so that a flip reverses them

    def rows(self, split: str) -> Tensor:
        return torch.from_numpy(np.flatnonzero(self.split == split))


def read_views(folder: Path, yaws: list[float] | None = None) -> Views:
    """The folder of `mien data render`, or only its views at some yaws."""
    with (folder / "views.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    rendered = sorted({float(row["yaw_class"]) for row in table})
    chosen = sorted(yaws or rendered)
    if absent := set(chosen) - set(rendered):
        raise SystemExit(f"{folder} has no views at {sorted(absent)}; it has {rendered}")
    if chosen != sorted(-yaw for yaw in chosen):
        raise SystemExit(
            f"yaws must be symmetric, as flipped views have the opposite one, not {chosen}: use --yaws"
        )
    table = [row for row in table if float(row["yaw_class"]) in chosen]
    present = {Expression(row["expression"]) for row in table}
    classes = tuple(name for name in FERPLUS if name in present)
    images = np.stack([np.asarray(Image.open(folder / row["file"])) for row in table])
    return Views(
        images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        expression=torch.tensor([classes.index(Expression(row["expression"])) for row in table]),
        pose=torch.tensor([chosen.index(float(row["yaw_class"])) for row in table]),
        split=np.array([row["split"] for row in table]),
        classes=classes,
        yaws=tuple(chosen),
    )


def batches(views: Views, options: argparse.Namespace, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One pass over the training views, changed at random: images, expression, pose; all from one seed."""
    rng = torch.Generator().manual_seed(options.seed * 1_000_003 + epoch)
    rows = views.rows("train")
    rows = rows[torch.randperm(len(rows), generator=rng)]
    for part in rows[: len(rows) // options.batch * options.batch].split(options.batch):
        canvas = views.images[part]
        x, matrices = transforms.place(canvas, options.size, rng, PLACE, aligned_px=canvas.shape[-1])
        x = transforms.colour(x, rng, light=0.25, contrast=0.25, tint=0.08, gamma=0.2)
        x = transforms.blur(x, rng, share=0.2, sigma_px=1.0)
        pose = views.pose[part]
        flipped = torch.linalg.det(matrices[:, :, :2]) < 0
        yield (
            normalised(x),
            views.expression[part],
            torch.where(flipped, flipped_poses(pose, len(views.yaws)), pose),
        )


def normalised(x: Tensor) -> Tensor:
    return ((x - MEAN) / STD).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def judge(network: PhaNet, views: Views, split: str, size_px: int) -> dict[str, Any]:
    """Accuracies on one split; "table" has a row for each yaw and a column for each expression."""
    network.eval()
    rng = torch.Generator().manual_seed(0)
    rows = views.rows(split)
    expression, pose = [], []
    for part in rows.split(128):
        canvas = views.images[part]
        joint = network.joint(
            normalised(transforms.place(canvas, size_px, rng, EXACT, aligned_px=canvas.shape[-1])[0])
        )
        expression.append(joint.logits.argmax(dim=1))
        if joint.pose_logits is not None:
            pose.append(joint.pose_logits.argmax(dim=1))
    right = torch.cat(expression) == views.expression[rows]

    def share(of: Tensor) -> float:
        return round(of.double().mean().item(), 4)

    at = [views.pose[rows] == i for i in range(len(views.yaws))]
    shown = [views.expression[rows] == i for i in range(len(views.classes))]
    per_pose = [share(right[here]) for here in at]
    return {
        "images": len(rows),
        "accuracy": share(right),
        "mean_over_poses": round(sum(per_pose) / len(per_pose), 4),
        "pose_accuracy": share(torch.cat(pose) == views.pose[rows]) if pose else None,
        "per_pose": per_pose,
        "table": [[share(right[here & this]) for this in shown] for here in at],
    }


class History:
    """What each epoch gave; part of the checkpoint."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs = state["epochs"]

    @property
    def best(self) -> int:
        """The epoch that is best on the validation views, the first of equals."""
        return int(np.argmax([epoch["valid"]["mean_over_poses"] for epoch in self.epochs]))


def configured(views: Views, options: argparse.Namespace) -> PhaNetConfig:
    common = {"classes": len(views.classes), "poses": len(views.yaws), "size_px": options.size}
    return replace(FORMS[options.form], **common | CONFIGURATIONS[options.configuration])


def fresh(config: PhaNetConfig, options: argparse.Namespace) -> PhaNet:
    """A network of this seed; with --start, its backbone is that of shipped weights."""
    torch.manual_seed(options.seed)
    network = PhaNet(config)
    if options.start:
        network.image_backbone.load_state_dict(mien.load_network(options.start).image_backbone.state_dict())
    return network.to(memory_format=torch.channels_last)


def parameter_groups(network: PhaNet, loss: PhaNetLoss, options: argparse.Namespace) -> list[dict[str, Any]]:
    """No weight decay on vectors and log-variances; a backbone that starts trained moves at half the rate."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in [*network.named_parameters(), *loss.named_parameters()]:
        rate = options.rate / 2 if options.start and name.startswith("image_backbone.") else options.rate
        decay = options.decay if parameter.dim() > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


def train(views: Views, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """One configuration from one seed; returns what `result.json` holds. Goes on where it was interrupted."""
    out.mkdir(parents=True, exist_ok=True)
    keep_options(out / "options.json", options)
    if (out / "result.json").exists():
        return json.loads((out / "result.json").read_text())
    network = fresh(configured(views, options), options)
    loss = PhaNetLoss(network.config)
    optimizer = torch.optim.AdamW(parameter_groups(network, loss, options))
    steps = len(views.rows("train")) // options.batch * options.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / (0.05 * steps)) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))),
    )
    history = History()
    parts = {
        "network": network,
        "loss": loss,
        "optimizer": optimizer,
        "schedule": schedule,
        "history": history,
    }
    for epoch in range(checkpoint.resume(out / "last.pt", **parts), options.epochs):
        started, total, seen = time.time(), 0.0, 0
        torch.manual_seed(options.seed * 1_000_003 + epoch)  # of dropout
        network.train()
        for x, expression, pose in batches(views, options, epoch):
            value, _ = loss(network.joint(x), expression, pose)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total, seen = total + value.item() * len(x), seen + len(x)
        seconds = time.time() - started
        line = {
            "epoch": epoch,
            "loss": round(total / seen, 4),
            "log_variances": {task: round(s.item(), 3) for task, s in loss.log_variances.items()},
            "images_per_s": round(seen / seconds, 1),
            "valid": judge(network, views, "valid", options.size),
        }
        history.epochs.append(line)
        if history.best == len(history.epochs) - 1:
            save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out / "best.safetensors")
        checkpoint.save(out / "last.pt", epoch + 1, **parts)
        (out / "history.json").write_text(json.dumps(history.epochs, indent=1))
    network.load_state_dict(load_file(out / "best.safetensors"))
    result = {
        "configuration": options.configuration,
        "seed": options.seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epoch": history.best,
        "classes": list(views.classes),
        "yaws": list(views.yaws),
        "valid": history.epochs[history.best]["valid"],
        "test": judge(network, views, "test", options.size),
        "mien": mien.__version__,
    }
    (out / "result.json").write_text(json.dumps(result, indent=1))
    return result


def keep_options(path: Path, options: argparse.Namespace) -> None:
    """What a run was; a folder holds one run only."""
    now = {k: str(v) for k, v in vars(options).items() if k not in ("command", "out", "seeds", "threads")}
    if path.exists() and (before := json.loads(path.read_text())) != now:
        changed = [f"--{key} {before.get(key)}, now {now[key]}" for key in now if before.get(key) != now[key]]
        raise SystemExit(f"{path.parent} holds another run ({'; '.join(changed)}); take another --out")
    path.write_text(json.dumps(now, indent=1))


def markdown(results: list[dict[str, Any]]) -> str:
    """The ablation as one table, and the full network by pose and expression; means over seeds, in percent."""
    yaws, classes = results[0]["yaws"], results[0]["classes"]

    def cell(values: list[float | None], *, spread: bool = False) -> str:
        if any(value is None for value in values):
            return "-"
        percent = 100 * np.array(values, float)
        return f"{percent.mean():.1f}" + (f" ± {percent.std(ddof=1):.1f}" if spread and len(percent) > 1 else "")

    lines = [
        "| configuration | parameters | mean over poses | accuracy | pose |"
        + "".join(f" {yaw:g}° |" for yaw in yaws),
        "|---|" + "---|" * (4 + len(yaws)),
    ]
    for name in CONFIGURATIONS:
        tests = [result["test"] for result in results if result["configuration"] == name]
        size = next(result["parameters"] for result in results if result["configuration"] == name)
        columns = [name, f"{size / 1e6:.2f} M"]
        columns += [
            cell([t[key] for t in tests], spread=True) for key in ("mean_over_poses", "accuracy", "pose_accuracy")
        ]
        columns += [cell([t["per_pose"][i] for t in tests]) for i in range(len(yaws))]
        lines.append("| " + " | ".join(columns) + " |")
    full = np.array([r["test"]["table"] for r in results if r["configuration"] == "full"], dtype=object)
    lines += ["", "| yaw | " + " | ".join(classes) + " |", "|---|" + "---|" * len(classes)]
    for i, yaw in enumerate(yaws):
        lines.append(f"| {yaw:g}° | " + " | ".join(cell(list(full[:, i, k])) for k in range(len(classes))) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("train", "ablation"):
        sub = commands.add_parser(command)
        sub.add_argument("--views", type=Path, required=True, help="folder with views.csv")
        sub.add_argument("--out", type=Path, required=True)
        if command == "train":
            sub.add_argument("--configuration", choices=list(CONFIGURATIONS), default="full")
            sub.add_argument("--seed", type=int, default=0)
        else:
            sub.add_argument("--seeds", type=int, default=3)
        sub.add_argument("--form", choices=list(FORMS), default="light")
        sub.add_argument(
            "--start", help="shipped weights whose backbone to start from, such as default; form light only"
        )
        sub.add_argument("--yaws", type=float, nargs="+", help="only views at these, in degrees")
        sub.add_argument("--size", type=int, default=64)
        sub.add_argument("--epochs", type=int, default=20)
        sub.add_argument("--batch", type=int, default=64)
        sub.add_argument("--rate", type=float, default=2e-3)
        sub.add_argument("--decay", type=float, default=0.02)
        sub.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.start and options.form != "light":
        parser.error("--start fills the MobileFaceNet of --form light")
    torch.set_num_threads(options.threads)
    views = read_views(options.views, options.yaws)
    if options.command == "train":
        print(json.dumps(train(views, options, options.out), indent=1))
        return
    results = []
    for seed in range(options.seeds):
        for configuration in CONFIGURATIONS:
            run = argparse.Namespace(**vars(options) | {"configuration": configuration, "seed": seed})
            results.append(train(views, run, options.out / f"{configuration}-{seed}"))
    print(markdown(results))


if __name__ == "__main__":
    main()
