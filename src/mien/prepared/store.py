"""Prepared faces: canvases in shards that are mapped into memory, beside each its table, one header of the whole.

    FOLDER/prepared.json    what it is; written last, so that its presence says that the store is complete
    FOLDER/00000.npy ...    (N, S, S, 3) uint8 RGB, or (N, S, S, 1) where every image of the shard is grey
    FOLDER/00000.parquet    the rows of these images
    FOLDER/problems.csv     images without a detected face, unreadable images, broken rows of the set

The middle of a canvas is the aligned face, the rest is its surroundings; with template "image" all of it is the
set's image. Why so: docs/decisions/0007-shards.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mien.datasets.distribution import Distribution
from mien.datasets.samples import TEXT, Samples
from mien.errors import DataError
from mien.labels import LabelSet
from mien.media.atomic import atomic_write
from mien.media.file_state import sha256
from mien.prepared.table import from_arrow

HEADER = "prepared.json"
FORMAT = 2  # 1: column `found`, settings `faces`
OPEN_SHARDS = 256  # mapped at once; each holds a file descriptor
_AGAIN = "run the same mien data prepare again: it makes only this shard anew"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One pair of files of a store."""

    name: str  # "00000": 00000.npy and 00000.parquet
    rows: int
    channels: int  # 3, or 1 where every image of the shard is grey
    images_bytes: int
    images_sha256: str
    table_bytes: int
    table_sha256: str


@dataclass(frozen=True, kw_only=True)
class StoreHeader:
    """What `prepared.json` holds. `counts`: split -> class -> images."""

    set: str
    title: str
    variant: str
    labels: LabelSet
    counts: Mapping[str, Mapping[str, int]]
    settings: Mapping[str, Any]  # everything that decided the images; `canvas_px` and `aligned_px` among them
    samples: str  # fingerprint of the table that was read
    version: str  # of mien
    citation: str
    licence: str
    undetected: int  # rows in which no face was detected
    unreadable: int  # images left out
    broken: int  # rows of the set left out: missing image, unknown label, ...
    shards: tuple[Shard, ...]
    rejected: int = 0  # rows in which faces were detected, none of them the one that the image is about

    @property
    def content(self) -> str:
        """SHA-256 over the hashes of all files and the classes."""
        parts = [part for shard in self.shards for part in (shard.images_sha256, shard.table_sha256)]
        return hashlib.sha256(" ".join([*self.labels, *parts]).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write `prepared.json` in one step."""
        values = msgspec.to_builtins(self, enc_hook=list)
        text = json.dumps({"format": FORMAT} | values | {"content": self.content}, indent=2, ensure_ascii=False)
        atomic_write(folder / HEADER, (text + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> StoreHeader:
        """Raises `DataError` where the folder is no finished store."""
        path = folder / HEADER
        try:
            values = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            if (form := values.pop("format", None)) not in (None, FORMAT):
                raise DataError(f"{path} has format {form}; this mien reads {FORMAT}: prepare the set again")
            content = values.pop("content", None)
            header = msgspec.convert(values, cls, dec_hook=lambda kind, value: kind(value))
        except FileNotFoundError:
            raise DataError(
                f"{folder} holds no {HEADER}; make it with mien data prepare (or let it finish)"
            ) from None
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); prepare the set again, in a new folder") from error
        if header.content != content:
            raise DataError(f"{path} was altered: its hashes do not fit; prepare the set again, in a new folder")
        return header


class PreparedStore:
    """The faces of a prepared folder, or some of them. Nothing is read before it is needed.

    May be handed to other processes and threads; raises `DataError` where a file is absent or truncated.
    `verify` also finds altered images.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.header = StoreHeader.read(self.folder)
        for shard in self.header.shards:
            for suffix, size in ((".npy", shard.images_bytes), (".parquet", shard.table_bytes)):
                _check_size(self.folder / (shard.name + suffix), size)
        self._rows: np.ndarray | None = None  # into the whole store; None: all
        self._starts = np.cumsum([0, *(shard.rows for shard in self.header.shards)])
        self._maps: dict[int, np.ndarray] = {}
        self._columns: dict[str, np.ndarray | None] = {}  # of the whole store, shared by all views

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}, "_columns": {}}

    def __repr__(self) -> str:
        return f"<PreparedStore {self.folder}: {len(self):,} faces, {len(self.labels)} classes>"

    def __len__(self) -> int:
        return int(self._starts[-1]) if self._rows is None else len(self._rows)

    @property
    def title(self) -> str:
        """The set's name in words; of a set of one's own the name of the prepared folder."""
        return self.header.title if self.header.set not in ("csv", "folder") else self.folder.resolve().name

    @property
    def labels(self) -> LabelSet:
        """The classes, in the set's own order."""
        return self.header.labels

    @property
    def canvas_px(self) -> int:
        """Side of a canvas."""
        return int(self.header.settings["canvas_px"])

    @property
    def aligned_px(self) -> int:
        """Side of the aligned face in the middle of a canvas."""
        return int(self.header.settings["aligned_px"])

    @property
    def channels(self) -> int:
        """3, or 1 where every image of the store is grey."""
        return max((shard.channels for shard in self.header.shards), default=3)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content and of the rows of this view: equal images, labels and order give the same."""
        if self._rows is None:
            return self.header.content
        rows = np.ascontiguousarray(self._rows, dtype="<i8").tobytes()
        return hashlib.sha256(self.header.content.encode() + rows).hexdigest()

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Canvases (B, S, S, `channels`) uint8 of the given rows, in their order."""
        indices = self._indices(np.asarray(rows, dtype=np.int64))
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        side = self.canvas_px
        batch = np.empty((len(indices), side, side, self.channels), dtype=np.uint8)
        for target, shard, row in zip(
            batch, shards.tolist(), (indices - self._starts[shards]).tolist(), strict=True
        ):
            target[...] = self._map(shard)[row]  # a grey canvas fills all channels
        return batch

    def aligned(self, rows: np.ndarray, size_px: int) -> np.ndarray:
        """The aligned faces (B, size, size, 3) uint8 RGB in the middle of the canvases of the given rows."""
        margin = (self.canvas_px - self.aligned_px) // 2
        inner = self.images(rows)[:, margin : margin + self.aligned_px, margin : margin + self.aligned_px]
        faces = np.ascontiguousarray(np.broadcast_to(inner, (*inner.shape[:3], 3)))
        if size_px == self.aligned_px:
            return faces
        size = (size_px, size_px)
        return np.stack(
            [np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BILINEAR)) for face in faces]
        )

    def column(self, name: str) -> np.ndarray | None:
        """One column of the table (N, ...), as `Samples` has it; None where the set has no such column.

        Besides those of `Samples`: `row` (in the set), and what preparing measured on the canvas:
        `detected`, `detection` (0..1, NaN where no face was found), `landmarks` (N, 68, 2) in canvas pixels,
        `head_yaw_deg`, `head_pitch_deg`, `head_roll_deg`; with template "image" also `aspect`, width / height of
        what was stretched to the canvas.
        """
        if name not in self._columns:
            self._columns[name] = self._read(name)
        values = self._columns[name]
        return values if values is None or self._rows is None else values[self._rows]

    @property
    def label(self) -> np.ndarray:
        """(N,) index into `labels`; -1: no single label."""
        return self._required("label")

    @property
    def detected(self) -> np.ndarray:
        """(N,) whether a face was detected."""
        return self._required("detected")

    @property
    def landmarks(self) -> np.ndarray:
        """(N, 68, 2) float32 in canvas pixels."""
        return self._required("landmarks")

    @cached_property
    def targets(self) -> np.ndarray:
        """(N, classes) float32: the votes, or 1 for the label; a row without either is all 0."""
        one_hot = np.eye(len(self.labels) + 1, dtype=np.float32)[self.label][:, :-1]  # -1 takes the last row
        votes = self.column("votes")
        if votes is None:
            return one_hot
        known = np.isfinite(votes).all(axis=1, keepdims=True)
        return np.where(known, np.nan_to_num(votes), one_hot).astype(np.float32)

    @cached_property
    def samples(self) -> Samples:
        """The table as `Samples`, for protocols and statistics; its images are the canvases, as RGB.

        Where several faces are of one image, their paths get `#` and a number.
        """
        names = (*TEXT, "label", "votes", "yaw_deg", "pitch_deg", "box", "points")
        extra = [name.removeprefix("extra.") for name in self._schema.names if name.startswith("extra.")]
        columns = {name: value for name in names if (value := self.column(name)) is not None}
        columns["path"] = _distinct(columns["path"])
        return Samples(
            labels=self.labels,
            files=Distribution(self.folder),
            decode=_Canvas(self, columns["path"]),
            extra={name: self._required(f"extra.{name}") for name in extra},
            **columns,
        )

    def take(self, rows: Sequence[int] | np.ndarray) -> PreparedStore:
        """A view of some rows, by index or by mask."""
        picked = np.asarray(rows)
        everything = np.arange(len(self)) if self._rows is None else self._rows
        view = object.__new__(PreparedStore)
        cached = {"targets", "samples"}
        view.__dict__ |= {name: value for name, value in self.__dict__.items() if name not in cached}
        view._rows = everything[picked if picked.dtype == bool else picked.astype(np.int64)]
        return view

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(canvas (S, S, `channels`) uint8, target (classes,) float32) of one row: a map-style torch dataset."""
        return self.images([row])[0], self.targets[row]

    def of(self, split: str) -> PreparedStore:
        """A view of one split; raises `DataError` where there are none."""
        splits = self._required("split")
        if not (chosen := splits == split).any():
            known = ", ".join(sorted(set(splits.tolist()) - {""})) or "none"
            raise DataError(f"{self.folder} has no {split!r} split; it has {known}")
        return self.take(chosen)

    def verify(self) -> None:
        """Read every byte of the store and compare the hashes; raises `DataError` naming the first altered file."""
        for shard in self.header.shards:
            for suffix, expected in ((".npy", shard.images_sha256), (".parquet", shard.table_sha256)):
                path = self.folder / (shard.name + suffix)
                if sha256(path) != expected:
                    raise DataError(f"{path} was altered (its hash differs); delete it and {_AGAIN}")

    def _indices(self, rows: np.ndarray) -> np.ndarray:
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"row {rows.max()} of {len(self)} in {self.folder}")
        rows = np.where(rows < 0, rows + len(self), rows)
        return rows if self._rows is None else self._rows[rows]

    def _map(self, number: int) -> np.ndarray:
        if (known := self._maps.get(number)) is not None:
            return known
        shard = self.header.shards[number]
        path = self.folder / f"{shard.name}.npy"
        _check_size(path, shard.images_bytes)
        try:
            images = np.asarray(np.load(path, mmap_mode="r"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); delete it and {_AGAIN}") from error
        wanted = (shard.rows, self.canvas_px, self.canvas_px, shard.channels)
        if images.shape != wanted or images.dtype != np.uint8:
            raise DataError(
                f"{path} holds {images.dtype} {images.shape}, not uint8 {wanted}; delete it and {_AGAIN}"
            )
        while len(self._maps) >= OPEN_SHARDS:
            self._maps.pop(next(iter(self._maps)), None)
        self._maps[number] = images
        return images

    @cached_property
    def _schema(self) -> pa.Schema:
        return pq.read_schema(self.folder / f"{self.header.shards[0].name}.parquet")

    def _required(self, name: str) -> np.ndarray:
        column = self.column(name)
        if column is None:
            raise DataError(f"{self.folder} has no column {name!r}")
        return column

    def _read(self, name: str) -> np.ndarray | None:
        parts = []
        for shard in self.header.shards:
            path = self.folder / f"{shard.name}.parquet"
            try:
                file = pq.ParquetFile(path, page_checksum_verification=True)
                if name not in file.schema_arrow.names:
                    return None
                parts.append(from_arrow(name, file.read([name]).column(0), self.labels))
            except (OSError, pa.ArrowException) as error:
                raise DataError(f"{path} is damaged ({error}); delete it and {_AGAIN}") from error
        return np.concatenate(parts)


class _Canvas:
    """`Samples.decode` of a store: the canvas of a path."""

    def __init__(self, store: PreparedStore, paths: np.ndarray) -> None:
        self.store = store
        self._row = {name: row for row, name in enumerate(paths.tolist())}

    def __call__(self, files: Distribution, path: str) -> np.ndarray:
        canvas = self.store.images([self._row[path]])[0]
        return np.ascontiguousarray(np.broadcast_to(canvas, (*canvas.shape[:2], 3)))


def _distinct(paths: np.ndarray) -> np.ndarray:
    """The second time a path occurs it becomes path#1, and so on."""
    seen: Counter[str] = Counter()
    named = []
    for path in paths.tolist():
        named.append(f"{path}#{seen[path]}" if seen[path] else path)
        seen[path] += 1
    return np.array(named, dtype=object)


def _check_size(path: Path, size: int) -> None:
    try:
        actual = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}); {_AGAIN}") from error
    if actual != size:
        raise DataError(f"{path} has {actual:,} bytes, not {size:,}: it is truncated or altered; {_AGAIN}")
