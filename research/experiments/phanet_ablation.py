"""Ablation of PhaNet's parts (re-derived) on rendered faces of known expression and head pose.

    mien data render --model ict_facekit.npz --out rendered --identities 50
    mien data prepare rendered rendered --template box --out prepared/rendered
    python -m research.experiments.phanet_ablation --data prepared/rendered --out runs/ablation > ablation.md

Trains every configuration with every seed by the library's training loop: same images, steps and augmentation, the
epoch chosen on validation identities, and evaluates it once on the test identities. Finished runs are not repeated,
interrupted ones resume. Pose classes are five bins of the stated yaw, as those of KDEF.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mien
from mien.augment.presets import plain
from mien.prepared.poses import KDEF
from mien.prepared.store import PreparedStore
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "full": {},
    "all-pose-gradient": {"pose_gradient": 1.0},
    "no-attention": {"attention": False},
    "no-selection": {"scale_selection": False},
    "no-pose": {"poses": 0},
    "bare-backbone": {"attention": False, "scale_selection": False, "poses": 0},
}
YAWS_DEG = (-90, -45, 0, 45, 90)
Tables = dict[str, list[np.ndarray]]  # configuration -> for each seed, accuracy (yaws, classes)


def recipe(configuration: str, seed: int, **changes: Any) -> Recipe:
    """The recipe of one configuration."""
    parts = CONFIGURATIONS[configuration]
    fields: dict[str, Any] = {
        "model_kwargs": {"size_px": 64, **parts},
        "pretrained": {"image_backbone": "default:image_backbone"},
        "poses": "" if "poses" in parts else "kdef",
        "augmentation": "phanet",
        "size_px": 64,
        "epochs": 8,
        "batch": 32,
        "optimizer": Optimizer(lr=2e-3, grad_clip=5.0, lr_multipliers={"image_backbone": 0.5}),
        "schedule": Schedule(name="cosine", warmup_epochs=0.4),
    }
    return Recipe(
        name=f"phanet-ablation-{configuration}",
        network="phanet",
        config_name="light",
        data="rendered",
        seed=seed,
        paper="none: ours",
        **fields | changes,
    )


@torch.inference_mode()
def accuracy_table(run: Path, test: PreparedStore) -> np.ndarray:
    """Accuracy (yaws, classes) of a finished run on the test set; NaN where it has no image."""
    manifest = load_manifest(str(run / "weights"))
    network, placement = load_network(manifest.folder), plain(manifest.inputs)
    targets, rng, predicted = torch.from_numpy(test.targets), torch.Generator(), []
    for rows in np.array_split(np.arange(len(test)), -(-len(test) // 128)):
        canvases = torch.from_numpy(test.images(rows)).permute(0, 3, 1, 2)
        predicted.append(network(placement(canvases, targets[rows], rng).images).argmax(dim=1))
    correct = torch.cat(predicted).numpy() == test.label
    yaw = test.column("yaw_deg")
    assert yaw is not None
    pose = KDEF.of(yaw)
    table = np.full((len(YAWS_DEG), len(test.labels)), np.nan)
    for i, k in np.ndindex(table.shape):
        if (cell := (pose == i) & (test.label == k)).any():
            table[i, k] = correct[cell].mean()
    return table


def markdown(tables: Tables, classes: tuple[str, ...]) -> str:
    """A row for each configuration, then the full network by yaw and expression; means over seeds, in percent."""
    lines = ["| configuration | mean over poses |" + "".join(f" {yaw}° |" for yaw in YAWS_DEG)]
    lines.append("|---|" + "---|" * (1 + len(YAWS_DEG)))
    for name, of_seeds in tables.items():
        per_pose = 100 * np.ma.masked_invalid(of_seeds).mean(axis=2)  # (seeds, yaws)
        means = per_pose.mean(axis=1)
        spread = f" ± {means.std(ddof=1):.1f}" if len(means) > 1 else ""
        cells = [f"{means.mean():.1f}{spread}", *(f"{value:.1f}" for value in per_pose.mean(axis=0).filled(np.nan))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| yaw | " + " | ".join(classes) + " |", "|---|" + "---|" * len(classes)]
    for yaw, row in zip(YAWS_DEG, 100 * np.mean(tables["full"], axis=0), strict=True):
        lines.append(f"| {yaw}° | " + " | ".join(f"{value:.0f}" for value in row) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args(arguments)
    test = PreparedStore(options.data).of("test")
    tables: Tables = {name: [] for name in CONFIGURATIONS}
    for seed in range(options.seeds):
        for name in CONFIGURATIONS:
            run = options.out / f"{name}-{seed}"
            mien.train(recipe(name, seed, epochs=options.epochs, batch=options.batch), options.data, run)
            tables[name].append(accuracy_table(run, test))
    print(markdown(tables, test.labels))


if __name__ == "__main__":
    main()
