"""Tiny prepared copies of data sets: their classes, parts and people, and noise for faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.datasets import dataset_info
from mien.datasets.distribution import Distribution
from mien.datasets.samples import Collector
from tests.datasets.distributions import image
from tests.prepared.fabricated import store

ALL = ("train", "valid", "test")
PARTS = {"ferplus": ALL, "rendered": ALL}  # as the sets have them; others have no parts, or train and test


def prepared(folder: Path, name: str, variant: str = "", *, template: str = "face") -> Path:
    """A finished store of one image per class and part, or per class and person where it has no parts."""
    info = dataset_info(name)
    labels = info.labels(variant)
    whole = info.protocol != "official"
    parts = ("",) * 3 if whole else PARTS.get(name, ("train", "test"))
    rows = Collector(labels, Distribution(_images(folder / "images", len(parts) * len(labels))))
    for i, part in enumerate(parts):
        for k, label in enumerate(labels):
            at = i * len(labels) + k
            rows.add(
                f"{at:03d}.png",
                label,
                where=f"list:{at}",
                split=part,
                **({"subject": f"person {i}"} if info.subjects else {"group": f"video {at}"}),
                **({"votes": np.eye(len(labels))[k] * 0.8 + 0.2 / len(labels)} if info.votes else {}),
                **({"yaw_deg": (-45.0, 0.0, 45.0)[k % 3]} if info.poses else {}),
            )
    out = folder / "prepared"
    store(out, rows.done().samples, name=name, variant=info.variant(variant), template=template)
    return out


def _images(folder: Path, count: int) -> Path:
    for i in range(count):
        image(folder / f"{i:03d}.png", seed=i, side=4)
    return folder
