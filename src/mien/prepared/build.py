"""A data set to shards of aligned faces: in parallel, past bad images, and resumable after a kill.

The set's rows are cut into shards, each shard into parts. A part is what one process does at a time; it is
written in one step into `OUT/parts/`. When all parts of a shard are there they become its two files, table last.
A run that finds parts and shards goes on after them, so memory and spare disk stay those of a few parts
and shards however large the set is. Nothing that is written depends on the number of processes or on kills.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien._version import __version__
from mien.arguments import checked
from mien.datasets import dataset_info
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Problem, Samples
from mien.errors import DataError, OutputError
from mien.media.atomic import atomic_open, atomic_write
from mien.media.disk import plain_disk_errors
from mien.media.resume import differences
from mien.media.work import Progress, no_progress, worker_count
from mien.pipeline.detectors import DEFAULT_DETECTOR
from mien.prepared.face_canvas import CanvasSettings
from mien.prepared.image_framing import check_images, image_notes
from mien.prepared.parts import make_parts
from mien.prepared.store import HEADER, StoreHeader
from mien.prepared.table import shard_note, table_of, write_shard_table
from mien.prepared.tally import Tally

SHARD_ROWS = 2048
PART_ROWS = 32
UNFINISHED = "preparing.json"  # what an unfinished folder holds; `prepared.json` takes its place
PROBLEMS = "problems.csv"
_PARTS = "parts"


@dataclass(frozen=True, kw_only=True)
class PreparationReport:
    """The result of `prepare`."""

    header: StoreHeader
    before: int  # images that earlier runs had done
    now: int  # images done by this run
    bytes: int  # of the whole store
    problems: tuple[Problem, ...] = ()  # rows of the set that were left out
    notes: tuple[str, ...] = ()  # what is no fault of the set and good to know

    def __repr__(self) -> str:
        return (
            f"<PreparationReport: {self.now:,} images done now, {self.before:,} before, {self.left_out:,} left out>"
        )

    @property
    def left_out(self) -> int:
        """Images and rows of the set that are not in the store."""
        return self.header.unreadable + self.header.broken


@checked
def prepare(
    dataset: str | DatasetInfo,
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    variant: str = "",
    detect: bool | None = None,
    detector: str = DEFAULT_DETECTOR,
    canvas_px: int = 192,
    template: str = "face",
    workers: int = 1,
    overwrite: bool = False,
    skip_broken: bool = True,
    progress: Progress = no_progress,
) -> PreparationReport:
    """Find and align the faces of a data set and store them for training; an interrupted run resumes.

    `detect`: whether faces must be found in the images; None: as the set is. `canvas_px`: side of a stored image,
    whose middle 7/12 is the aligned face. `template`: "face" or "arcface", aligned by five points; "box", upright
    with a margin; "image", as the set has it: the whole stored image is the set's image, or the inside of its box,
    only resized to `canvas_px`. `workers`: processes, 0 for one per core. `skip_broken`: leave broken rows of the
    set out and list them in `OUT/problems.csv`; otherwise they raise `DataError`. Raises `DataError` where the
    folder holds no image of the set, `OutputError` where `out` holds something else or cannot be written.
    """
    info = dataset_info(dataset)
    detect = info.image_kind_of(variant) == "photo" if detect is None else detect
    settings = CanvasSettings(detect=detect, detector=detector, canvas_px=canvas_px, template=template)
    reading = info.reading(folder, variant=variant)
    if not (len(reading.samples) and skip_broken):
        reading.checked()
    if not len(reading.samples):
        raise DataError(f"{folder} holds no image of {info.name}; its layout:\n{info.layout}")
    check_images(info, reading.samples, settings)
    report = prepare_samples(
        info,
        reading.samples,
        Path(out),
        settings,
        variant=variant,
        problems=reading.problems,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )
    return replace(report, notes=(*reading.notes, *image_notes(reading.samples, settings)))


def prepare_samples(
    info: DatasetInfo,
    samples: Samples,
    out: Path,
    settings: CanvasSettings,
    *,
    variant: str = "",
    problems: tuple[Problem, ...] = (),
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> PreparationReport:
    """`prepare` for rows that were read already; `problems`: rows that were left out."""
    workers = worker_count(workers)
    folder = _StoreFolder(out, samples, problems)
    key = {
        "set": info.name,
        "variant": info.variant(variant),
        "settings": settings.describe(),
        "samples": samples.fingerprint(),
    }
    count = len(samples)
    with plain_disk_errors(out, option="--out"):
        header = folder.begin(key, overwrite=overwrite)
        if header is not None:
            return PreparationReport(header=header, before=count, now=0, bytes=folder.size(), problems=problems)
        missing = folder.missing_parts()
        before = done = count - sum(len(part) for part in missing)
        progress(done, count)
        for shard in range(folder.shards):
            folder.join(shard)
        for part in make_parts(samples, settings, missing, folder.part_file, workers=workers):
            done += len(part)
            progress(done, count)
            folder.join(part.start // SHARD_ROWS)
        header = folder.finish(info, key)
        return PreparationReport(
            header=header, before=before, now=done - before, bytes=folder.size(), problems=problems
        )


class _StoreFolder:
    """The folder of a store while it is being filled."""

    def __init__(self, out: Path, samples: Samples, problems: tuple[Problem, ...]) -> None:
        self.out, self.samples, self.problems = out, samples, problems
        self.shards = -(-len(samples) // SHARD_ROWS)

    def begin(self, key: dict[str, Any], *, overwrite: bool) -> StoreHeader | None:
        """Make the folder ready for this work; the header where it is finished already."""
        unfinished, done = self.out / UNFINISHED, self.out / HEADER
        if unfinished.exists() or done.exists():
            if overwrite:
                self._clear()
        elif self.out.exists() and any(self.out.iterdir()):
            raise OutputError(f"{self.out} holds other files; give --out a new folder")
        if done.exists():
            header = StoreHeader.read(self.out)
            self._check_same({name: getattr(header, name) for name in key}, key)
            if all(self.complete(shard) for shard in range(self.shards)):
                return header
            done.unlink()
            atomic_write(unfinished, _json(key | {"version": header.version}))
        if unfinished.exists():
            try:
                before = json.loads(unfinished.read_text(encoding="utf-8"))
            except ValueError:
                before = {}
            now = key | {"version": __version__}
            self._check_same({name: before.get(name) for name in now}, now)
        (self.out / _PARTS).mkdir(parents=True, exist_ok=True)
        for temporary in (*self.out.glob(".*.tmp"), *(self.out / _PARTS).glob(".*.tmp")):
            temporary.unlink(missing_ok=True)
        atomic_write(unfinished, _json(key | {"version": __version__}))
        return None

    def _check_same(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        """Raises `OutputError` naming what differs."""
        if changed := differences(before, now):
            raise OutputError(
                f"{self.out} was begun otherwise: {'; '.join(changed)}. Use --overwrite to start over, "
                "or another --out"
            )

    def _clear(self) -> None:
        """Remove what an earlier run wrote here, and nothing else."""
        for name in (HEADER, UNFINISHED, PROBLEMS):
            (self.out / name).unlink(missing_ok=True)
        ours = re.compile(r"\d{5}\.(npy|parquet)|\..*\.tmp")
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

    def complete(self, shard: int) -> bool:
        """Whether both files of a shard are there in full length."""
        note = shard_note(self.file(shard, ".parquet"))
        images = self.file(shard, ".npy")
        return note is not None and images.exists() and images.stat().st_size == note["images_bytes"]

    def missing_parts(self) -> list[range]:
        """What has still to be made, in order."""
        return [
            part
            for shard in range(self.shards)
            if not self.complete(shard)
            for part in self.parts(shard)
            if not self.part_file(part).exists()
        ]

    def join(self, shard: int) -> None:
        """Make a shard of its parts if they are all there, and remove them."""
        files = [self.part_file(part) for part in self.parts(shard)]
        if not self.complete(shard):
            if not all(file.exists() for file in files):
                return
            self._write_shard(shard, files)
        for file in files:
            file.unlink(missing_ok=True)

    def _write_shard(self, shard: int, files: Sequence[Path]) -> None:
        measured: list[dict[str, np.ndarray]] = []
        lost: list[dict[str, str]] = []
        rejected: dict[str, str] = {}
        for file in files:
            with np.load(file) as part:
                measured.append(
                    {name: part[name] for name in part.files if name not in ("canvas", "lost", "rejected")}
                )
                rejected |= {
                    str(row): reason
                    for row, reason in zip(part["row"].tolist(), part["rejected"].tolist(), strict=True)
                    if reason
                }
                lost += json.loads(str(part["lost"]))
        channels = max((int(part["channels"]) for part in measured), default=3)
        columns = {
            name: np.concatenate([part[name] for part in measured]) for name in measured[0] if name != "channels"
        }
        rows = columns.pop("row")
        digest, size = self._write_images(self.file(shard, ".npy"), files, len(rows), channels)
        note = {"channels": channels, "images_bytes": size, "images_sha256": digest, "unreadable": lost}
        note |= {"rejected": rejected} if rejected else {}
        write_shard_table(self.file(shard, ".parquet"), table_of(self.samples, rows, columns), note)

    def _write_images(self, path: Path, files: Sequence[Path], count: int, channels: int) -> tuple[str, int]:
        """One part in memory at a time. Returns hash and size."""
        digest = hashlib.sha256()
        header = io.BytesIO()
        side = _side(files)
        shape = (count, side, side, channels)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with atomic_open(path) as target:
            for data in (header.getvalue(), *_canvases(files, channels)):
                digest.update(data)
                target.write(data)
            size = target.tell()
        return digest.hexdigest(), size

    def finish(self, info: DatasetInfo, key: dict[str, Any]) -> StoreHeader:
        """Write the header and the list of problems, remove what was only for the work."""
        tally = Tally(self.problems)
        for shard in range(self.shards):
            tally.add(self.file(shard, ".parquet"))
        atomic_write(self.out / PROBLEMS, tally.problems_csv().encode())
        header = StoreHeader(
            **key,
            title=info.title,
            labels=self.samples.labels,
            counts=tally.counts_in(self.samples.labels),
            version=__version__,
            citation=info.citation,
            licence=info.licence,
            undetected=tally.undetected,
            rejected=tally.rejected,
            unreadable=tally.unreadable,
            broken=len(self.problems),
            shards=tuple(tally.shards),
        )
        header.write(self.out)
        (self.out / UNFINISHED).unlink(missing_ok=True)
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
