"""The table beside each shard of prepared faces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.datasets.samples import Samples
from mien.labels import LabelSet
from mien.media.atomic import atomic_write

MEASURED = ("detected", "detection", "landmarks", "head_yaw_deg", "head_pitch_deg", "head_roll_deg")
OF_IMAGES = ("aspect",)  # measured only where images are stored as their set has them
_SHAPES = {"box": (4,), "landmarks": (68, 2)}


def table_of(samples: Samples, rows: np.ndarray, measured: Mapping[str, np.ndarray]) -> pa.Table:
    """The table of one shard: rows of the set (indices), and what was measured on their canvases."""
    part = samples.take(rows)
    columns: dict[str, pa.Array] = {"row": pa.array(rows, pa.int64())}
    for name, value in part.columns().items():
        if name == "label":
            columns[name] = pa.array([str(part.labels[i]) if i >= 0 else None for i in value.tolist()], pa.string())
        else:
            columns[name] = _to_arrow(value)
    columns |= {f"extra.{name}": _to_arrow(value) for name, value in sorted(part.extra.items())}
    columns |= {name: _to_arrow(measured[name]) for name in MEASURED}
    columns |= {name: _to_arrow(measured[name]) for name in OF_IMAGES if name in measured}
    return pa.table(columns)


def write_shard_table(path: Path, table: pa.Table, about: Mapping[str, Any]) -> None:
    """The table with what `shard_note` gives back; its presence says that the shard is complete."""
    sink = pa.BufferOutputStream()
    metadata = {**(table.schema.metadata or {}), b"mien": json.dumps(about, ensure_ascii=False).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd", write_page_checksum=True)
    atomic_write(path, sink.getvalue())


def shard_note(path: Path) -> dict[str, Any] | None:
    """What was noted with a shard's table; None where it is absent or damaged."""
    try:
        note: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {})[b"mien"])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
    return note


def _to_arrow(value: np.ndarray) -> pa.Array:
    if value.dtype.kind in "OU":
        return pa.array(value.tolist(), pa.string())
    if value.ndim == 1:
        return pa.array(value)
    flat = pa.array(np.ascontiguousarray(value).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(value.shape[1:])))


def from_arrow(name: str, column: pa.ChunkedArray, labels: LabelSet) -> np.ndarray:
    """A column as `Samples` has it: classes as indices into `labels`, boxes and points in their shape."""
    if name == "label":
        index = {str(label): i for i, label in enumerate(labels)} | {None: -1}
        return np.array([index[label] for label in column.to_pylist()], dtype=np.int64)
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), dtype=object)
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    shape = (-1, 2) if name == "points" else _SHAPES.get(name, (-1,))
    return flat.reshape(len(column), *shape) if len(column) else flat.reshape(0, *(abs(n) for n in shape))
