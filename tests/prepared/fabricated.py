"""Small prepared folders, written without looking for faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Collector, Samples
from mien.labels import RAF_DB
from mien.media.file_state import sha256
from mien.prepared.store import Shard, StoreHeader
from mien.prepared.table import table_of, write_shard_table
from mien.preprocess import aligned_side
from tests.datasets.distributions import image

SIDE = 48


def samples_in(folder: Path, *, count: int) -> Samples:
    """RAF-DB's classes in turn; three of four in the training split; votes, subjects, boxes, an own column."""
    rng = np.random.default_rng(0)
    for i in range(count):
        image(folder / f"{i:03d}.png", seed=i)
    rows = Collector(RAF_DB, Distribution(folder))
    for i in range(count):
        rows.add(
            f"{i:03d}.png",
            None if i % 7 == 6 else RAF_DB[i % 7],
            where=f"list:{i}",
            split="test" if i % 4 == 3 else "train",
            subject=f"s{i // 3}",
            votes=rng.dirichlet(np.ones(7)) if i % 2 else None,
            box=np.array([1.0, 2.0, 30.0, 40.0]),
            points=np.arange(10.0).reshape(5, 2),
            intensity=i % 3,
        )
    return rows.done().samples


def store(
    out: Path,
    samples: Samples,
    *,
    name: str = "raf-db",
    variant: str = "aligned",
    shard_rows: int = 8,
    grey: int = 0,
    template: str = "face",
) -> np.ndarray:
    """A finished store of random canvases, the first `grey` shards grey. Returns the canvases (N, S, S, 3)."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    whole, shards = [], []
    for number, start in enumerate(range(0, len(samples), shard_rows)):
        rows = np.arange(start, min(start + shard_rows, len(samples)))
        channels = 1 if number < grey else 3
        canvas = rng.integers(0, 256, (len(rows), SIDE, SIDE, channels), dtype=np.uint8)
        np.save(out / f"{number:05d}.npy", canvas)
        measured = {
            "detected": rows % 5 != 4,
            "detection": np.where(rows % 5 != 4, 0.8, np.nan).astype(np.float32),
            "landmarks": rng.normal(24, 8, (len(rows), 68, 2)).astype(np.float32),
            **{
                f"head_{name}_deg": rng.normal(0, 20, len(rows)).astype(np.float32)
                for name in ("yaw", "pitch", "roll")
            },
        }
        write_shard_table(out / f"{number:05d}.parquet", table_of(samples, rows, measured), {"channels": channels})
        files = [out / f"{number:05d}{suffix}" for suffix in (".npy", ".parquet")]
        (pb, ph), (tb, th) = ((file.stat().st_size, sha256(file)) for file in files)
        shards.append(
            Shard(name=f"{number:05d}", rows=len(rows), channels=channels, images_bytes=pb, images_sha256=ph,
                  table_bytes=tb, table_sha256=th)
        )  # fmt: skip
        whole.append(np.broadcast_to(canvas, (len(rows), SIDE, SIDE, 3)))
    StoreHeader(
        set=name, title=name, variant=variant, labels=samples.labels, counts=samples.counts(),
        settings={"canvas_px": SIDE, "aligned_px": aligned_side(SIDE, template), "template": template},
        samples=samples.fingerprint(), version="0", citation="",
        licence="", undetected=0, unreadable=0, broken=0, shards=tuple(shards),
    ).write(out)  # fmt: skip
    return np.concatenate(whole)
