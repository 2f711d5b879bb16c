"""One pass over all images of a table: which can be read, how large they are, and a small grey copy of each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mien.datasets.samples import Problem, Samples
from mien.errors import ImageError, InputError

GREY_PX = 32  # side of the small copies
_CHUNK = 128  # rows that a process takes at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """What the images are; entry i belongs to row i."""

    size: np.ndarray  # (N, 2) int: width and height in pixels; 0 where the image cannot be read
    grey: np.ndarray  # (N, 32, 32) uint8: what the row shows, squeezed into a square; 0 where unreadable
    unreadable: tuple[Problem, ...]

    @property
    def readable(self) -> np.ndarray:
        """Mask (N,) of the rows whose image can be read."""
        return self.size[:, 0] > 0

    def followed_by(self, other: Scan) -> Scan:
        """Both as one, the other's rows last: for near-duplicates between two sets."""
        return Scan(
            size=np.concatenate([self.size, other.size]),
            grey=np.concatenate([self.grey, other.grey]),
            unreadable=self.unreadable + other.unreadable,
        )


def shown(samples: Samples, row: int) -> np.ndarray:
    """What a row is about, RGB uint8 (H, W, 3): the inside of its box where it has one, else the whole image.

    Raises `InputError` that names the image.
    """
    image = samples.image(row)
    if samples.box is None or not np.isfinite(samples.box[row]).all():
        return image
    height, width = image.shape[:2]
    left, top, right, bottom = np.clip(np.rint(samples.box[row]), 0, [width, height] * 2).astype(int)
    inside = image[top:bottom, left:right]
    return inside if inside.size else image


def scan(samples: Samples, *, jobs: int = 1, watch: Callable[[int], None] = lambda count: None) -> Scan:
    """Decode every image once.

    `jobs`: processes; more than one are started afresh, so a script must call this below
    `if __name__ == "__main__"`. `watch` is told how many images were done since it was last called.
    """
    size = np.zeros((len(samples), 2), dtype=np.int64)
    grey = np.zeros((len(samples), GREY_PX, GREY_PX), dtype=np.uint8)
    unreadable: list[Problem] = []
    for rows, (sizes, greys, problems) in _looked_at(samples, jobs):
        size[rows], grey[rows] = sizes, greys
        unreadable += problems
        watch(len(rows))
    return Scan(size=size, grey=grey, unreadable=tuple(unreadable))


_Part = tuple[np.ndarray, np.ndarray, list[Problem]]


def _looked_at(samples: Samples, jobs: int) -> Iterator[tuple[range, _Part]]:
    """(rows, what was seen in them), in order."""
    count = len(samples)
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if jobs <= 1 or len(chunks) < 2:
        for rows in chunks:
            yield rows, _look(samples, rows)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of running threads
    with ProcessPoolExecutor(min(jobs, len(chunks)), context, _keep, (samples,)) as pool:
        yield from zip(chunks, pool.map(_look_again, chunks), strict=True)


def _keep(samples: Samples) -> None:
    """The table is sent once to each process."""
    global _kept
    _kept = samples


_kept: Samples


def _look_again(rows: range) -> _Part:
    return _look(_kept, rows)


def _look(samples: Samples, rows: range) -> _Part:
    size = np.zeros((len(rows), 2), dtype=np.int64)
    grey = np.zeros((len(rows), GREY_PX, GREY_PX), dtype=np.uint8)
    problems = []
    for i, row in enumerate(rows):
        try:
            image = shown(samples, row)
        except InputError as error:
            reason = error.reason if isinstance(error, ImageError) else str(error)
            what, _, remedy = reason.partition("; ")
            problems.append(Problem("unreadable", str(samples.path[row]), what, remedy or "fetch it again"))
            continue
        size[i] = image.shape[1], image.shape[0]
        pil = Image.fromarray(image).convert("L")
        grey[i] = np.asarray(pil.resize((GREY_PX, GREY_PX), Image.Resampling.BOX))
    return size, grey, problems
