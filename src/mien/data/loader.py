"""Augmented batches of prepared faces, made ahead by threads.

A batch follows from the seed and the number of its step alone: any number of threads gives the same batches,
and a run may begin at any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import numpy as np
import torch
from torch import Tensor

from mien.data.augmentation import Augmentation, Augmented
from mien.data.sampling import Batches
from mien.data.shards import Shards


@dataclass(frozen=True)
class LoadedBatch:
    """One step's pictures, with the rows of `Shards` that they are."""

    step: int
    rows: np.ndarray  # (B,)
    augmented: Augmented


class Loader:
    """Iterates over the steps of a run.

    `targets`: distributions (N, K), one per row of `shards`; default: its own. `workers`: threads that make batches
    ahead; 0 makes each when it is asked for. `device`: where pictures are changed and delivered.
    """

    def __init__(
        self,
        shards: Shards,
        batches: Batches,
        augmentation: Augmentation,
        *,
        targets: np.ndarray | None = None,
        seed: int = 0,
        workers: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.shards, self.batches, self.augmentation = shards, batches, augmentation
        self.seed, self.workers, self.device = seed, workers, torch.device(device)
        self._targets = torch.from_numpy(shards.targets if targets is None else targets)

    def batch(self, step: int) -> LoadedBatch:
        """The batch of one step."""
        rows = self.batches.rows(step)
        canvases = torch.from_numpy(self.shards.pictures(rows)).permute(0, 3, 1, 2)
        seed = np.random.SeedSequence([self.seed, step, self.batches.rank]).generate_state(1, np.uint64)[0]
        rng = torch.Generator().manual_seed(int(seed >> np.uint64(1)))
        made = self.augmentation(self._sent(canvases), self._sent(self._targets[torch.from_numpy(rows)]), rng)
        return LoadedBatch(step, rows, made)

    def steps(self, start: int, stop: int) -> Iterator[LoadedBatch]:
        """The batches of steps `start` to `stop` - 1, in order."""
        if not self.workers:
            yield from map(self.batch, range(start, stop))
            return
        waiting: deque[Future[LoadedBatch]] = deque()
        with _single_threaded_pool(self.workers) as pool:
            try:
                for step in range(start, stop):
                    waiting.append(pool.submit(self.batch, step))
                    if len(waiting) > 2 * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _sent(self, tensor: Tensor) -> Tensor:
        if self.device.type == "cpu":
            return tensor
        return tensor.contiguous().pin_memory().to(self.device, non_blocking=True)


def _single_threaded_pool(workers: int) -> ThreadPoolExecutor:
    """Threads in which torch does not start threads of its own; the caller's number stays what it is."""
    before = torch.get_num_threads()
    started = Barrier(workers + 1)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(workers, initializer=start)
    for _ in range(workers):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(before)
    return pool
