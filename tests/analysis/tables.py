"""Prediction tables made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mien.labels import FERPLUS
from mien.pipeline.rows import TableRow
from mien.pipeline.table import schema


def row(source: str = "talk.mp4", expression: str | None = "neutral", **values: Any) -> TableRow:
    """One row of a table; `expression` None: a frame without a face."""
    one = dict.fromkeys(schema(FERPLUS).names) | {"source": source, "frame": 0}
    if expression is not None:
        confidence = values.pop("confidence", 0.9)
        rest = (1 - confidence) / (len(FERPLUS) - 1)
        one |= {"face": 0, "left": 10.0, "top": 10.0, "right": 90.0, "bottom": 90.0, "detection": 0.9}
        one |= {"expression": expression, "certain": confidence >= 0.6}
        one |= {f"p_{label}": confidence if label == expression else rest for label in FERPLUS}
    return one | values


def track(
    expressions: Iterable[str | None], *, fps: float = 10.0, start_s: float = 0.0, track: int = 0, **values: Any
) -> list[TableRow]:
    """Rows of one person at regular times, one per expression."""
    rows = []
    for i, expression in enumerate(expressions):
        at = {"frame": round(start_s * fps) + i, "time_s": start_s + i / fps}
        rows.append(row(expression=expression, **at, **({} if expression is None else {"track": track}), **values))
    return rows


def arrow(rows: Sequence[TableRow]) -> pa.Table:
    """Rows as an Arrow table, with the columns that the rows add."""
    names = schema(FERPLUS)
    more = [name for name in rows[0] if name not in names.names]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([*names, *[(name, pa.string()) for name in more]]))


def conversation(seconds: float = 60.0, *, fps: float = 10.0, seed: int = 0) -> list[TableRow]:
    """Two people in stretches of random length; one leaves and comes back; some frames are uncertain or flagged."""
    rng = np.random.default_rng(seed)
    rows: list[TableRow] = []
    for person, common in enumerate(("happiness", "sadness")):
        current, left = "neutral", 0.0
        for i in range(int(seconds * fps)):
            if left <= 0:
                current = rng.choice(["neutral", common, "surprise"], p=[0.55, 0.35, 0.1])
                left = rng.exponential(2.5)
            left -= 1 / fps
            if person == 1 and 0.4 < i / (seconds * fps) < 0.6:
                continue
            values: dict[str, Any] = {"confidence": float(rng.choice([0.9, 0.5], p=[0.9, 0.1]))}
            if rng.random() < 0.04:
                values |= {"flags": "off-axis", "certain": False}
            at = {"frame": i, "time_s": i / fps, "track": person + 1, "face": person}
            rows.append(row(expression=str(current), **at, **values))
    return sorted(rows, key=lambda one: (one["frame"], one["face"]))
