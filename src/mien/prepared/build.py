"""A data set to shards of aligned faces: in parallel, past bad images, and resumable after a kill.

The set's rows are cut into shards, each shard into parts. A part is what one process does at a time; it is
written whole into `OUT/parts/`. When all parts of a shard are there they become its two files, the table last.
A run that finds parts and shards goes on after them, so memory and spare disk stay those of a few parts
and shards however large the set is. Nothing that is written depends on the number of processes or on kills.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mien._version import __version__
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.errors import DataError, OptionError, OutputError
from mien.media.atomic import atomic_write
from mien.media.disk import plain_disk_errors
from mien.prepared.face_canvas import CanvasSettings
from mien.prepared.store import RECORD, Prepared, Shard
from mien.prepared.table import hash_of, shard_note, table_of, write_shard_table
from mien.prepared.workers import make_parts

SHARD_ROWS = 2048
PART_ROWS = 32
BEGUN = "preparing.json"  # what an unfinished folder holds; `prepared.json` takes its place
NOT_FOUND = "not_found.csv"
_PARTS = "parts"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did."""

    header: Prepared
    before: int  # images that earlier runs had done
    now: int  # images done by this run
    bytes: int  # of the whole store


def prepare(
    dataset: DatasetInfo,
    samples: Samples,
    out: Path,
    settings: CanvasSettings,
    *,
    variant: str = "",
    jobs: int = 1,
    overwrite: bool = False,
    watch: Callable[[int], None] | None = None,
) -> Report:
    """Write the store `out`, or what is missing of it.

    `watch` is told how many of the images are done, first those of earlier runs.
    Raises `OutputError` where the folder holds something else or cannot be written.
    """
    if jobs < 1:
        raise OptionError(f"--jobs is {jobs}; at least 1 process is needed")
    if not len(samples):
        raise DataError(
            f"{samples.files}: no image to prepare; mien data check {dataset.name} says what is missing"
        )
    store = Store(out, samples)
    key = {
        "set": dataset.name,
        "variant": dataset.variant(variant),
        "settings": settings.describe(),
        "samples": samples.fingerprint(),
    }
    with plain_disk_errors(out, option="--out"):
        finished = store.begin(key, overwrite=overwrite)
        if finished is not None:
            return Report(header=finished, before=len(samples), now=0, bytes=store.size())
        todo = store.missing_parts()
        before = done = len(samples) - sum(len(part) for part in todo)
        if watch is not None:
            watch(done)
        for shard in range(store.shards):
            store.join(shard)
        for part in make_parts(samples, settings, todo, store.part_file, jobs=jobs):
            done += len(part)
            if watch is not None:
                watch(done)
            store.join(part.start // SHARD_ROWS)
        header = store.finish(dataset, key)
        return Report(header=header, before=before, now=done - before, bytes=store.size())


class Store:
    """The folder while it is being filled."""

    def __init__(self, out: Path, samples: Samples) -> None:
        self.out, self.samples = out, samples
        self.shards = -(-len(samples) // SHARD_ROWS)

    def begin(self, key: dict[str, Any], *, overwrite: bool) -> Prepared | None:
        """Make the folder ready for this work; the header where it is finished already."""
        begun, done = self.out / BEGUN, self.out / RECORD
        if begun.exists() or done.exists():
            if overwrite:
                self._clear()
        elif self.out.exists() and any(self.out.iterdir()):
            raise OutputError(f"{self.out} holds other files; give --out a new folder")
        if done.exists():
            header = Prepared.read(self.out)
            self._same(done, {name: getattr(header, name) for name in key}, key)
            if all(self.whole(shard) for shard in range(self.shards)):
                return header
            done.unlink()
            atomic_write(begun, _json(key | {"version": header.version}))
        if begun.exists():
            try:
                found = json.loads(begun.read_text(encoding="utf-8"))
            except ValueError:
                found = {}
            self._same(begun, found, key | {"version": __version__})
        (self.out / _PARTS).mkdir(parents=True, exist_ok=True)
        for half in (*self.out.glob(".*.half"), *(self.out / _PARTS).glob(".*.half")):
            half.unlink(missing_ok=True)
        atomic_write(begun, _json(key | {"version": __version__}))
        return None

    def _same(self, path: Path, found: dict[str, Any], key: dict[str, Any]) -> None:
        """Raises `OutputError` naming what differs."""
        kept = {name: found.get(name) for name in key}
        if json.loads(_json(kept)) == json.loads(_json(key)):
            return
        differing = [name for name in key if json.loads(_json(kept))[name] != json.loads(_json(key))[name]]
        what = {"samples": "another version of the data", "settings": "other settings", "version": "another mien"}
        words = ", ".join(what.get(name, f"another {name} ({kept[name]})") for name in differing)
        raise OutputError(f"{path} was begun with {words}; use --overwrite to start over, or another --out")

    def _clear(self) -> None:
        """Remove what an earlier run wrote here, and nothing else."""
        for name in (RECORD, BEGUN, NOT_FOUND):
            (self.out / name).unlink(missing_ok=True)
        ours = re.compile(r"\d{5}\.(npy|parquet)|\..*\.half")
        for path in [path for path in self.out.iterdir() if ours.fullmatch(path.name)]:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.out / _PARTS, ignore_errors=True)

    def rows(self, shard: int) -> range:
        """The rows of the set that a shard takes."""
        return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, len(self.samples)))

    def parts(self, shard: int) -> list[range]:
        """A shard's rows, part by part."""
        rows = self.rows(shard)
        return [
            range(start, min(start + PART_ROWS, rows.stop)) for start in range(rows.start, rows.stop, PART_ROWS)
        ]

    def part_file(self, part: range) -> Path:
        """Where the work of one part lies."""
        return self.out / _PARTS / f"{part.start:09d}.npz"

    def file(self, shard: int, suffix: str) -> Path:
        """One of a shard's two files."""
        return self.out / f"{shard:05d}{suffix}"

    def whole(self, shard: int) -> bool:
        """Whether both files of a shard are there in full length."""
        note = shard_note(self.file(shard, ".parquet"))
        images = self.file(shard, ".npy")
        return note is not None and images.exists() and images.stat().st_size == note["images_bytes"]

    def missing_parts(self) -> list[range]:
        """What has still to be made, in order."""
        return [
            part
            for shard in range(self.shards)
            if not self.whole(shard)
            for part in self.parts(shard)
            if not self.part_file(part).exists()
        ]

    def join(self, shard: int) -> None:
        """Make a shard of its parts if they are all there, and remove them."""
        files = [self.part_file(part) for part in self.parts(shard)]
        if not self.whole(shard):
            if not all(file.exists() for file in files):
                return
            self._write_shard(shard, files)
        for file in files:
            file.unlink(missing_ok=True)

    def _write_shard(self, shard: int, files: Sequence[Path]) -> None:
        measured: list[dict[str, np.ndarray]] = []
        lost: list[dict[str, str]] = []
        for file in files:
            with np.load(file) as part:
                measured.append({name: part[name] for name in part.files if name not in ("canvas", "lost")})
                lost += json.loads(str(part["lost"]))
        channels = max((int(part["channels"]) for part in measured), default=3)
        columns = {
            name: np.concatenate([part[name] for part in measured]) for name in measured[0] if name != "channels"
        }
        rows = columns.pop("row")
        sha256, size = self._write_images(self.file(shard, ".npy"), files, len(rows), channels)
        note = {"channels": channels, "images_bytes": size, "images_sha256": sha256, "unreadable": lost}
        write_shard_table(self.file(shard, ".parquet"), table_of(self.samples, rows, columns), note)

    def _write_images(self, path: Path, files: Sequence[Path], count: int, channels: int) -> tuple[str, int]:
        """One part in memory at a time. Returns hash and size."""
        half = path.with_name(f".{path.name}.{os.getpid()}.half")
        digest = hashlib.sha256()
        header = io.BytesIO()
        side = _side(files)
        shape = (count, side, side, channels)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        try:
            with half.open("wb") as target:
                for data in (header.getvalue(), *_canvases(files, channels)):
                    digest.update(data)
                    target.write(data)
                target.flush()
                os.fsync(target.fileno())
                size = target.tell()
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def finish(self, dataset: DatasetInfo, key: dict[str, Any]) -> Prepared:
        """Write the header and the list of faces not found, remove what was only for the work."""
        shards: list[Shard] = []
        counts: Counter[tuple[str, str]] = Counter()
        text = io.StringIO(newline="")
        listed = csv.writer(text, lineterminator="\n")
        listed.writerow(["path", "split", "label", "reason", "done"])
        not_found = unreadable = 0
        names = ("path", "split", "label", "box", "found")
        for number in range(self.shards):
            path = self.file(number, ".parquet")
            note = shard_note(path)
            if note is None:
                raise OutputError(f"{path} has gone while the set was being prepared; run the same command again")
            there = [name for name in names if name in pq.read_schema(path).names]
            rows = pq.read_table(path, columns=there).to_pylist()
            counts.update((row["split"], row["label"] or "no label") for row in rows)
            for row in rows:
                if not row["found"]:
                    stated = np.isfinite(row.get("box") or [np.nan]).all()
                    kept = "the set's own box was taken" if stated else "the whole image was taken"
                    listed.writerow([row["path"], row["split"], row["label"] or "", "no face found", kept])
                    not_found += 1
            for lost in note["unreadable"]:
                listed.writerow([lost["path"], lost["split"], lost["label"], lost["reason"], "left out"])
                unreadable += 1
            shards.append(
                Shard(
                    name=path.stem,
                    rows=len(rows),
                    channels=note["channels"],
                    images_bytes=note["images_bytes"],
                    images_sha256=note["images_sha256"],
                    table_bytes=path.stat().st_size,
                    table_sha256=hash_of(path),
                )
            )
        atomic_write(self.out / NOT_FOUND, text.getvalue().encode())
        order = [*self.samples.labels, "no label"]
        header = Prepared(
            **key,
            title=dataset.title,
            labels=self.samples.labels,
            counts={
                split: {name: counts[split, name] for name in order}
                for split in sorted({split for split, _ in counts})
            },
            version=__version__,
            citation=dataset.citation,
            licence=dataset.licence,
            not_found=not_found,
            unreadable=unreadable,
            shards=tuple(shards),
        )
        header.write(self.out)
        (self.out / BEGUN).unlink(missing_ok=True)
        shutil.rmtree(self.out / _PARTS, ignore_errors=True)
        return header

    def size(self) -> int:
        """Bytes of all files of the store."""
        return sum(file.stat().st_size for file in self.out.iterdir() if file.is_file())


def _side(files: Sequence[Path]) -> int:
    with np.load(files[0]) as part:
        return int(part["canvas"].shape[1])


def _canvases(files: Sequence[Path], channels: int) -> Iterator[bytes]:
    """The images of each part, all with the same number of channels."""
    for file in files:
        with np.load(file) as part:
            canvas = part["canvas"]
        yield np.ascontiguousarray(np.broadcast_to(canvas, (*canvas.shape[:3], channels))).tobytes()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
