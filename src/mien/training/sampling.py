"""Which images a training epoch sees, and in what order.

A sampler is a small frozen value. `indices(epoch)` follows from its fields, the seed and the epoch alone, so every
process draws the same and a run can resume at any step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mien.errors import DataError, OptionError


class Sampler(Protocol):
    """Anything that says which rows an epoch sees."""

    def __len__(self) -> int:
        """Images in an epoch."""
        ...

    def indices(self, epoch: int) -> np.ndarray:
        """Rows (len,) int64 of one epoch, in order."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Shuffle:
    """Every row once, in random order."""

    count: int
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def indices(self, epoch: int) -> np.ndarray:
        """Rows (count,) of one epoch."""
        return _rng(self.seed, epoch).permutation(self.count)


@dataclass(frozen=True, kw_only=True, eq=False)
class Balanced:
    """N draws with replacement, row i with probability proportional to 1 / n(label of i).

    POSTER's and POSTER++'s sampler for AffectNet (`ImbalancedDatasetSampler` of torchsampler): every class is
    expected equally often. n(c): rows of class c; rows without a label (-1) are never drawn.
    N: as many as have a label.
    """

    labels: np.ndarray  # (rows,) int
    seed: int = 0

    def __len__(self) -> int:
        return int((self.labels >= 0).sum())

    def indices(self, epoch: int) -> np.ndarray:
        """Rows (N,) of one epoch."""
        return _drawn(self._sums, len(self), _rng(self.seed, epoch))

    @cached_property
    def _sums(self) -> np.ndarray:
        weights = 1 / np.maximum(_counts(self.labels), 1)
        return np.cumsum(np.where(self.labels >= 0, weights[self.labels], 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class RepeatFactor:
    """Every row ceil(r(c)) times, in random order: r(c) = max(1, sqrt(t / f(c))).

    f(c): the share of the labelled rows that are of class c. Gupta, Dollar, Girshick: "LVIS" (2019), section on
    repeat factor sampling, draws the fraction of r at random; APViT rounds it up (t = 0.15), which is done
    here. RAF-DB: surprise, disgust and anger twice, fear three times, an epoch of 15,545.
    Rows without a label (-1) are left out.
    """

    labels: np.ndarray  # (rows,) int
    threshold: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise OptionError(f"the threshold of repeat factors is {self.threshold}; it must lie in 0..1")

    def __len__(self) -> int:
        return len(self._rows)

    def indices(self, epoch: int) -> np.ndarray:
        """Rows of one epoch, copies among them."""
        return _rng(self.seed, epoch).permutation(self._rows)

    @cached_property
    def repeats(self) -> np.ndarray:
        """(classes,) how often the rows of each class are taken; 1 for a class without rows."""
        counts = _counts(self.labels)
        frequency = np.where(counts > 0, counts / counts.sum(), 1.0)
        return np.ceil(np.maximum(1.0, np.sqrt(self.threshold / frequency))).astype(np.int64)

    @cached_property
    def _rows(self) -> np.ndarray:
        labelled = np.flatnonzero(self.labels >= 0)
        return np.repeat(labelled, self.repeats[self.labels[labelled]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """N draws with replacement by how rare a row's label distribution is.

    Weight of row i: sum over classes c of p_i(c) x max(f(c), floor)^-power, with f(c) the mean of p(c) over the
    rows. `power` 0 draws evenly, 1 balances the classes, 0.5 trained the network of the package. Rows whose
    distribution is all 0 are never drawn. N: as many as have a distribution.
    """

    distributions: np.ndarray  # (rows, classes), each summing to 1 or 0
    power: float = 0.5
    floor: float = 2e-3
    seed: int = 0

    def __len__(self) -> int:
        return int((self.distributions.sum(axis=1) > 0).sum())

    def indices(self, epoch: int) -> np.ndarray:
        """Rows (N,) of one epoch."""
        return _drawn(self._sums, len(self), _rng(self.seed, epoch))

    @cached_property
    def _sums(self) -> np.ndarray:
        p = self.distributions.astype(np.float64)
        frequency = p.sum(axis=0) / max(len(self), 1)
        return np.cumsum(p @ np.maximum(frequency, self.floor) ** -self.power)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """Every batch holds a fixed share of each source; within a source its own sampler draws.

    Counts are whole numbers in each batch and follow the shares over the batches. A source gives rows again where
    its share asks for more than it has, and leaves some out where for fewer.
    """

    samplers: tuple[Sampler, ...]
    sizes: tuple[int, ...]  # rows of each source; they stand one after the other
    shares: tuple[float, ...]  # of each batch, summing to 1
    batch: int
    count: int  # images in an epoch
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    def indices(self, epoch: int) -> np.ndarray:
        """Rows (count,) of one epoch; each whole batch has the shares, in random order."""
        rng = _rng(self.seed, epoch)
        owner = np.concatenate(
            [rng.permutation(np.repeat(np.arange(len(self.shares)), counts)) for counts in self._counts]
        )
        rows = np.empty(len(owner), dtype=np.int64)
        starts = np.cumsum([0, *self.sizes])
        for i, sampler in enumerate(self.samplers):
            at = np.flatnonzero(owner == i)
            rows[at] = starts[i] + _many(sampler, len(at), epoch)
        return rows[: self.count]

    @cached_property
    def _counts(self) -> list[np.ndarray]:
        """(sources,) rows of each batch of an epoch."""
        shares, owed, batches = np.array(self.shares), np.zeros(len(self.shares)), []
        for _ in range(-(-self.count // self.batch)):
            owed = owed + shares * self.batch
            counts = np.maximum(np.floor(owed), 0).astype(np.int64)
            while counts.sum() < self.batch:
                counts[np.argmax(owed - counts)] += 1
            while counts.sum() > self.batch:
                counts[np.argmin(np.where(counts > 0, owed - counts, np.inf))] -= 1
            owed = owed - counts
            batches.append(counts)
        return batches


def _many(sampler: Sampler, count: int, epoch: int) -> np.ndarray:
    """`count` rows of a sampler for one epoch of a mixture, from as many of its own epochs as that takes."""
    parts, got = [np.empty(0, dtype=np.int64)], 0
    while got < count:
        parts.append(sampler.indices(epoch * 4096 + len(parts)))
        got += len(parts[-1])
    return np.concatenate(parts)[:count]


def _rng(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng([seed, epoch])


def _counts(labels: np.ndarray) -> np.ndarray:
    counts = np.bincount(labels[labels >= 0])
    if not counts.sum():
        raise DataError("no row has a label; balanced samplers need some")
    return counts


def _drawn(sums: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows with probability proportional to the steps of `sums`, with replacement."""
    if not count:
        raise DataError("no row has a label; balanced samplers need some")
    return np.searchsorted(sums, rng.random(count) * sums[-1], side="right")
