"""What a prepared data set holds and what it lacks, counted over the tables of its shards."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mien.datasets.samples import Problem
from mien.errors import OutputError
from mien.media.file_state import sha256
from mien.prepared.store import Shard
from mien.prepared.table import shard_note

_UNDETECTED = "no face detected"
_NO_LABEL = "no label"


class Tally:
    """What the header and the list of problems state, added up over the tables of the shards."""

    undetected = rejected = unreadable = 0

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.shards: list[Shard] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._problems = [[problem.where, "", "", problem.what, "left out"] for problem in problems]

    def add(self, path: Path) -> None:
        """The next shard, by its table. Raises `OutputError` where it has gone."""
        note = shard_note(path)
        if note is None:
            raise OutputError(f"{path} has gone while the set was being prepared; run the same command again")
        names = pq.read_schema(path).names
        columns = [name for name in ("row", "path", "split", "label", "box", "detected") if name in names]
        rows = pq.read_table(path, columns=columns).to_pylist()
        self._counts.update((row["split"], row["label"] or _NO_LABEL) for row in rows)
        reasons = note.get("rejected", {})
        faceless = [row for row in rows if not row["detected"]]
        for row in faceless:
            reason = reasons.get(str(row["row"]), _UNDETECTED)
            self._problems.append([row["path"], row["split"], row["label"] or "", reason, _fallback(row)])
        for image in note["unreadable"]:
            self._problems.append([*(image[name] for name in ("path", "split", "label", "reason")), "left out"])
        self.rejected += len(reasons)
        self.undetected += len(faceless) - len(reasons)
        self.unreadable += len(note["unreadable"])
        self.shards.append(
            Shard(
                name=path.stem,
                rows=len(rows),
                channels=note["channels"],
                images_bytes=note["images_bytes"],
                images_sha256=note["images_sha256"],
                table_bytes=path.stat().st_size,
                table_sha256=sha256(path),
            )
        )

    def counts_in(self, labels: Sequence[str]) -> dict[str, dict[str, int]]:
        """Images of each split and class, in the order of `labels`, and of those without a label."""
        splits = sorted({split for split, _ in self._counts})
        return {split: {name: self._counts[split, name] for name in (*labels, _NO_LABEL)} for split in splits}

    def problems_csv(self) -> str:
        """One line per image or row that is not a detected face: why, and what was done."""
        text = io.StringIO(newline="")
        header = ["path", "split", "label", "reason", "action"]
        csv.writer(text, lineterminator="\n").writerows([header, *self._problems])
        return text.getvalue()


def _fallback(row: dict[str, Any]) -> str:
    stated = np.isfinite(row.get("box") or [np.nan]).all()
    return "the set's own box was used" if stated else "the whole image was used"
