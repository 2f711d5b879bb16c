"""Does the pose task of PhaNet help where heads are turned? The network with it and without it, trained alike.

    python -m research.experiments.pose_task start face_id_mobilefacenet.safetensors --out out
    research/experiments/pose_task.sh PREPARED out "11 12"
    python -m research.experiments.pose_task report out --data DIR --suite suite

`start` writes out/face_identity, the image backbone of foamliu's face-identity network (Apache-2.0), from which
all runs begin. `report` reads the runs out/{pose,no_pose}-SEED and writes the table of docs/models/phanet.md.
KDEF (`DIR/kdef3.zip`, all of it) is a lab that no run has seen; wild7 and muxspace are their validation and test
parts, of `research.fer.suite`. Yaw as the landmarks have it, without sign. One pass, no priors; the mean over the
seeds that both have. Intervals of the difference: 95 %, 1,000 paired bootstrap resamples of sessions, people
or images.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mien.datasets import dataset_info
from mien.labels import FERPLUS
from mien.metrics import bootstrap
from mien.models import configure
from mien.nn.fold import folded
from mien.weights.fill import load_network
from mien.weights.manifest import WeightsManifest
from research.fer.report import insert, rows_of
from research.fer.suite import ENTRIES, INPUTS, Faces, align, load
from research.landmarks68.face_identity import face_identity_backbone
from research.ship import write_tensors

PAGE = Path(__file__).parents[2] / "docs/models/phanet.md"
RUNS = {"pose": "with the pose task", "no_pose": "without"}
BINS = {"kdef3": (0, 20, 90), "wild7": (0, 20, 90), "muxspace-test": (0, 20, 35, 90)}
TITLES = {"kdef3": "KDEF, three classes, unseen lab", "wild7": "wild7", "muxspace-test": "muxspace, test people"}
BATCH = 64


def write_start(identity: Path, out: Path) -> None:
    """A weights folder for `pretrained`: the face-identity backbone under a head of random weights."""
    torch.manual_seed(0)
    config = configure("bare_backbone", config_name="light", classes=len(FERPLUS), size_px=INPUTS.size_px)
    network = config.build()
    network.image_backbone.load_state_dict(face_identity_backbone(identity))
    manifest = WeightsManifest(
        name="face_identity", network="bare_backbone", config=asdict(config), inputs=INPUTS, labels="ferplus",
        files={"face_identity.safetensors": ""}, licence="Apache-2.0",
        source="foamliu/MobileFaceNet", folder=out,
    )  # fmt: skip
    write_tensors(manifest, network.state_dict(), out / "face_identity")


@torch.inference_mode()
def correct(weights: Path, name: str, faces: Faces) -> np.ndarray:
    """(N,) whether each face is recognised among the classes that its source tells apart."""
    network = folded(load_network(weights))
    known = torch.tensor([label in ENTRIES[name].labels for label in FERPLUS])
    parts = [faces.images[i : i + BATCH] for i in range(0, len(faces), BATCH)]
    logits = torch.cat([network(torch.from_numpy(INPUTS.normalise(part))) for part in parts])
    right: np.ndarray = logits.masked_fill(~known, -torch.inf).argmax(dim=1).numpy() == faces.truth
    return right


def difference(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> str:
    """Paired, in points, of shares (N,) of seeds that recognise each face."""
    change = bootstrap(
        lambda gain, faces: gain / faces, first - second, np.ones(len(first)),
        clusters=clusters, resamples=1000,
    )  # fmt: skip
    return f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def report(out: Path, data: Path, suite: Path) -> None:
    """The table, on the page and printed."""
    seeds = sorted(
        set.intersection(
            *({path.parent.name.rpartition("-")[2] for path in out.glob(f"{run}-*/weights")} for run in RUNS)
        )
    )
    if not seeds:
        raise SystemExit(f"{out}: no seed of which both runs have finished")
    table = [["images", "yaw", "faces", *RUNS.values(), "difference"]]
    for name, edges in BINS.items():
        if name == "kdef3":
            faces = align(dataset_info("csv").samples(data / "kdef3.zip"), detect=True)
        else:
            faces = load(suite, name)
        each = {run: [correct(out / f"{run}-{seed}/weights", name, faces) for seed in seeds] for run in RUNS}
        shares = {run: np.mean(right, axis=0) for run, right in each.items()}
        turns = {
            f"{low} to {high}°" if high < 90 else f"from {low}°": (low, high)
            for low, high in itertools.pairwise(edges)
        }
        for yaw, (low, high) in (turns | {"all": (0, 90)}).items():
            rows = (np.abs(faces.yaw_deg) >= low) & (np.abs(faces.yaw_deg) < high)
            clusters = faces.clusters[rows]
            table.append([
                TITLES[name], yaw, f"{rows.sum():,}",
                *(spread([right[rows] for right in each[run]]) for run in RUNS),
                difference(shares["pose"][rows], shares["no_pose"][rows], clusters),
            ])  # fmt: skip
    text = rows_of(table) + f"\nSeeds: {', '.join(seeds)}.\n"
    insert(PAGE, "research/experiments/pose_task.py", text)
    print(text)


def spread(right: Sequence[np.ndarray]) -> str:
    """Accuracy in percent, the mean over the seeds, and each of them."""
    each = [f"{100 * one.mean():.1f}" for one in right]
    return each[0] if len(each) == 1 else f"{100 * np.mean(right):.1f} ({', '.join(each)})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start")
    start.add_argument("identity", type=Path)
    start.add_argument("--out", type=Path, required=True)
    reporting = commands.add_parser("report")
    reporting.add_argument("out", type=Path)
    reporting.add_argument("--data", type=Path, required=True)
    reporting.add_argument("--suite", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "start":
        write_start(options.identity, options.out)
    else:
        report(options.out, options.data, options.suite)


if __name__ == "__main__":
    main()
