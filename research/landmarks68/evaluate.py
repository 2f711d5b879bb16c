"""The error of a landmark network to its teacher, on held-out faces.

    python -m research.landmarks68.evaluate --ferplus prepared/ferplus --muxspace prepared/muxspace \\
        --teacher landmark68_mobilefacenet.safetensors --weights landmarks68 --out measured.json

Normalised mean error (NME): mean point distance over the distance of the outer eye corners; on FER+ validation
faces and the muxspace test people, aligned and moved.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from mien.augment import cropping
from mien.preprocess import Preprocess
from mien.weights.fill import load_network
from research.landmarks68.teacher import Faces, Teacher

ALIGNED = cropping.RandomAffine(rotate_deg=0, scale=(1.0, 1.0), shift=0, flip=0)
MOVED = cropping.RandomAffine(rotate_deg=8, scale=(0.85, 1.1), shift=0.04, flip=0)
INPUTS = Preprocess(size_px=96)


@torch.inference_mode()
def normalised_error(
    network: nn.Module,
    faces: Faces,
    split: str,
    *,
    placement: cropping.RandomAffine = ALIGNED,
    limit: int = 10**9,
) -> Tensor:
    """NME (N,) of at most `limit` faces of a split, evenly spaced."""
    network.eval()
    rng = torch.Generator().manual_seed(1)
    rows = faces.rows(split)
    rows = rows[torch.linspace(0, len(rows) - 1, min(limit, len(rows))).long()]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (INPUTS.mean, INPUTS.std))
    errors = []
    for part in rows.split(128):
        canvas, points = faces.take(part)
        crops, matrices = cropping.random_affine(
            canvas, INPUTS.size_px, rng, placement, aligned_px=faces.store.aligned_px
        )
        target = cropping.move_points(points, matrices) / INPUTS.size_px
        eyes = (target[:, 36] - target[:, 45]).norm(dim=-1)
        errors.append((network((crops - mean) / std) - target).norm(dim=-1).mean(dim=1) / eyes)
    return torch.cat(errors)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, required=True)
    parser.add_argument("--muxspace", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--weights", default="landmarks68", help="shipped, or a folder with a manifest")
    parser.add_argument("--points", type=Path, default=Path("runs/teacher"), help="folder of the teacher's points")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    network, teacher = load_network(options.weights), Teacher(options.teacher)
    measured = {}
    for title, folder, split in (
        ("FER+ validation", options.ferplus, "valid"),
        ("muxspace test", options.muxspace, "test"),
    ):
        faces = Faces(folder, options.points, teacher)
        for crop, placement in (("aligned", ALIGNED), ("moved", MOVED)):
            error = normalised_error(network, faces, split, placement=placement)
            measured[f"{title}, {crop}"] = {
                "faces": len(error),
                "mean": round(float(error.mean()), 4),
                "median": round(float(error.median()), 4),
                "p95": round(float(error.quantile(0.95)), 4),
            }
    text = json.dumps(measured, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
