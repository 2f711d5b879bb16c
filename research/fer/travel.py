"""Prepared sets made small for another machine, and there unpacked.

    python -m research.fer.travel pack prepared/wild7 --out travel/wild7 --side 160 --quality 85
    python -m research.fer.travel unpack travel/wild7 --out prepared/wild7

Canvases travel as lossy WebP, 64 on a sheet, at a smaller side; the 68 landmarks, which no recipe trains on, stay
behind. Unpacked they have their old size, and a header with hashes of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from mien.media.atomic import atomic_write
from mien.media.file_state import sha256
from mien.prepared.store import PreparedStore, Shard, StoreHeader
from mien.prepared.table import shard_note, write_shard_table

COLUMNS = 8  # of a sheet, and rows
LEFT_BEHIND = "landmarks"


def pack(folder: Path, out: Path, *, side: int, quality: int) -> int:
    """Write the small form of a prepared set; returns its bytes."""
    store, out = PreparedStore(folder), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    start = 0
    for shard in store.header.shards:
        note = shard_note(folder / f"{shard.name}.parquet")
        assert note is not None
        table = pq.read_table(folder / f"{shard.name}.parquet").drop_columns([LEFT_BEHIND])
        write_shard_table(out / f"{shard.name}.parquet", table, note)
        for number, first in enumerate(range(0, shard.rows, COLUMNS**2)):
            rows = np.arange(start + first, start + min(first + COLUMNS**2, shard.rows))
            sheet = _sheet(store.images(rows), side)
            atomic_write(out / f"{shard.name}-{number:03d}.webp", _webp(sheet, quality))
        start += shard.rows
    settings = {**store.header.settings, "travelled": {"side": side, "quality": quality}}
    replace(store.header, settings=settings).write(out)
    return sum(path.stat().st_size for path in out.iterdir())


def unpack(folder: Path, out: Path) -> StoreHeader:
    """Make the prepared set again."""
    header = StoreHeader.read(folder)
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        shards = tuple(pool.map(lambda shard: _unpacked(header, shard, folder, out), header.shards))
    made = replace(header, shards=shards)
    made.write(out)
    return made


def _unpacked(header: StoreHeader, shard: Shard, folder: Path, out: Path) -> Shard:
    """Write the two files of a shard."""
    side, canvas = int(header.settings["travelled"]["side"]), int(header.settings["canvas_px"])
    images = np.empty((shard.rows, canvas, canvas, shard.channels), dtype=np.uint8)
    for number, first in enumerate(range(0, shard.rows, COLUMNS**2)):
        sheet = np.asarray(Image.open(folder / f"{shard.name}-{number:03d}.webp").convert("RGB"))
        for i, small in enumerate(_cut(sheet, side, min(COLUMNS**2, shard.rows - first))):
            large = cv2.resize(small, (canvas, canvas), interpolation=cv2.INTER_CUBIC)
            images[first + i] = large[..., : shard.channels]
    npy = io.BytesIO()
    np.save(npy, images)
    atomic_write(out / f"{shard.name}.npy", npy.getvalue())
    table = folder / f"{shard.name}.parquet"
    atomic_write(out / table.name, table.read_bytes())
    return replace(
        shard,
        images_bytes=npy.tell(),
        images_sha256=hashlib.sha256(npy.getvalue()).hexdigest(),
        table_bytes=table.stat().st_size,
        table_sha256=sha256(table),
    )


def _sheet(images: np.ndarray, side: int) -> np.ndarray:
    """Canvases (N, S, S, C) side by side at a smaller side; the last rows of the sheet may stay black."""
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * side, COLUMNS * side, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        top, left = i // COLUMNS * side, i % COLUMNS * side
        sheet[top : top + side, left : left + side] = small.reshape(side, side, -1)
    return sheet


def _cut(sheet: np.ndarray, side: int, count: int) -> Iterator[np.ndarray]:
    for i in range(count):
        top, left = i // COLUMNS * side, i % COLUMNS * side
        yield sheet[top : top + side, left : left + side]


def _webp(sheet: np.ndarray, quality: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "webp", quality=quality, method=4)
    return data.getvalue()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="of one folder its own; of several a folder of all")
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--quality", type=int, default=85)
    options = parser.parse_args(arguments)

    def one(folder: Path) -> None:
        out = options.out if len(options.folders) == 1 else options.out / folder.name
        if options.what == "pack":
            print(
                f"{folder.name}: {pack(folder, out, side=options.side, quality=options.quality):,} bytes",
                flush=True,
            )
        else:
            print(f"{folder.name}: {sum(shard.rows for shard in unpack(folder, out).shards):,} faces", flush=True)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, options.folders))


if __name__ == "__main__":
    main()
