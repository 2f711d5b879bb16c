"""Tiny prepared copies of data sets: their classes, parts and people, and noise for faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.data import data_set
from mien.data.files import Files
from mien.data.samples import Collector
from tests.data.distributions import picture
from tests.data.prepared import store

PARTS = {  # as the sets have them; others have no parts, or train and test
    "ferplus": ("train", "valid", "test"),
    "sfew": ("train", "valid"),
    "aff-wild2": ("train", "valid"),
}


def prepared(folder: Path, name: str, variant: str = "") -> Path:
    """A finished store of one picture per class and part, or per class and person where it has no parts."""
    record = data_set(name)
    labels = record.labels(variant)
    whole = record.protocol != "official"
    parts = ("",) * 3 if whole else PARTS.get(name, ("train", "test"))
    rows = Collector(labels, Files(_pictures(folder / "pictures", len(parts) * len(labels))))
    for i, part in enumerate(parts):
        for k, label in enumerate(labels):
            at = i * len(labels) + k
            rows.add(
                f"{at:03d}.png",
                label,
                where=f"list:{at}",
                split=part,
                **({"subject": f"person {i}"} if record.subjects else {"group": f"video {at}"}),
                **({"votes": np.eye(len(labels))[k] * 0.8 + 0.2 / len(labels)} if record.votes else {}),
                **({"yaw_deg": (-45.0, 0.0, 45.0)[k % 3]} if record.poses else {}),
            )
    out = folder / "prepared"
    store(out, rows.done().samples, name=name, variant=record.variant(variant))
    return out


def _pictures(folder: Path, count: int) -> Path:
    for i in range(count):
        picture(folder / f"{i:03d}.png", seed=i, side=4)
    return folder
