"""Several prepared sets as one, to learn from all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import DataError
from mien.labels import LabelSet
from mien.prepared.store import PreparedStore

SAME = ("template", "canvas_px", "aligned_px")  # settings without which canvases do not fit each other


class ConcatStore:
    """The rows of the first store, then those of the others, in the classes `labels`; None: those of the first.

    A row of a class that these lack has the label -1 and votes of 0; votes are shared out among the classes
    that are known. Raises `DataError` where the canvases are of different sizes or framing.
    """

    def __init__(
        self, first: PreparedStore, others: Sequence[PreparedStore], *, labels: LabelSet | None = None
    ) -> None:
        self.stores = (first, *others)
        self.folder, self.header, self.labels = first.folder, first.header, labels or first.labels
        self.canvas_px, self.aligned_px = first.canvas_px, first.aligned_px
        for other in others:
            for name in SAME:
                mine, its = first.header.settings[name], other.header.settings[name]
                if mine != its:
                    raise DataError(
                        f"{other.folder} was prepared with {name} {its}, {first.folder} with {mine}: "
                        "prepare one of them again, alike"
                    )
            if not set(other.labels) & set(self.labels):
                raise DataError(f"{other.folder} has none of the classes {', '.join(self.labels)}")
        self._starts = np.cumsum([0, *map(len, self.stores)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows_of(self, store: int, rows: np.ndarray) -> np.ndarray:
        """Rows of one store, by its place, as rows of the whole."""
        return self._starts[store] + rows

    def parts(self, rows: np.ndarray) -> list[tuple[PreparedStore, np.ndarray]]:
        """Each store with those of the given rows that are its own, as rows of that store."""
        return [(store, rows[at] - self._starts[i]) for i, (store, at) in enumerate(self._shares(rows))]

    @property
    def title(self) -> str:
        """The sets' names in words."""
        return " and ".join(dict.fromkeys(store.title for store in self.stores))

    @property
    def samples(self) -> Samples:
        """The table of the first store."""
        return self.stores[0].samples

    @property
    def channels(self) -> int:
        """3, or 1 where every image of all stores is grey."""
        return max(store.channels for store in self.stores)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all stores' own."""
        return hashlib.sha256(" ".join(store.fingerprint for store in self.stores).encode()).hexdigest()

    def take(self, rows: np.ndarray) -> ConcatStore:
        """Some rows, by index; those of one store stay together, the first store's first."""
        first, *others = (store.take(own) for store, own in self.parts(rows))
        return ConcatStore(first, others, labels=self.labels)

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Canvases (B, S, S, `channels`) uint8 of the given rows, in their order."""
        indices = np.asarray(rows, dtype=np.int64)
        batch = np.empty((len(indices), self.canvas_px, self.canvas_px, self.channels), dtype=np.uint8)
        for i, (store, at) in enumerate(self._shares(indices)):
            batch[at] = store.images(indices[at] - self._starts[i])
        return batch

    @cached_property
    def label(self) -> np.ndarray:
        """(N,) index into `labels`; -1: no single label, or a class that `labels` lack."""
        return np.concatenate([store.labels.indices_in(self.labels)[store.label] for store in self.stores])

    @cached_property
    def targets(self) -> np.ndarray:
        """(N, classes) float32, rows that sum to 1; all 0 where nothing is known."""
        return np.concatenate([store.labels.redistribute(store.targets, to=self.labels) for store in self.stores])

    @property
    def detected(self) -> np.ndarray:
        """(N,) whether a face was detected."""
        return np.concatenate([store.detected for store in self.stores])

    def column(self, name: str) -> np.ndarray | None:
        """One column of numbers (N, ...); NaN in the rows of stores that lack it, None where all do."""
        columns = [store.column(name) for store in self.stores]
        known = next((column for column in columns if column is not None), None)
        if known is None:
            return None
        return np.concatenate(
            [
                np.full((len(store), *known.shape[1:]), np.nan) if column is None else column
                for store, column in zip(self.stores, columns, strict=True)
            ]
        )

    def _shares(self, rows: np.ndarray) -> list[tuple[PreparedStore, np.ndarray]]:
        """Each store with the indices in `rows` that are its own."""
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        return [(store, np.flatnonzero(owner == i)) for i, store in enumerate(self.stores)]
