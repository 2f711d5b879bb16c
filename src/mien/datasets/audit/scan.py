"""One pass over all images of a table: which can be read, how large they are, and a small grey copy of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from mien.datasets.samples import Problem, Samples
from mien.errors import ImageError, InputError
from mien.media.work import Progress, map_processes, no_progress, worker_count
from mien.preprocess import box_in_pixels

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


def labelled_region(samples: Samples, row: int) -> np.ndarray:
    """What a row is about, RGB uint8 (H, W, 3): the inside of its box where it has one, else the whole image.

    Raises `InputError` that names the image.
    """
    image = samples.image(row)
    left, top, right, bottom = box_in_pixels(image, None if samples.box is None else samples.box[row])
    return image[top:bottom, left:right]


def scan(samples: Samples, *, workers: int = 1, progress: Progress = no_progress) -> Scan:
    """Decode every image once, by `workers` processes (0: one per core; see `map_processes`)."""
    count = len(samples)
    size = np.zeros((count, 2), dtype=np.int64)
    grey = np.zeros((count, GREY_PX, GREY_PX), dtype=np.uint8)
    unreadable: list[Problem] = []
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    workers = min(worker_count(workers), max(1, len(chunks)))
    parts = map_processes(partial(_identity, samples), _scan_rows, chunks, workers=workers)
    for rows, (sizes, greys, problems) in zip(chunks, parts, strict=True):
        size[rows], grey[rows] = sizes, greys
        unreadable += problems
        progress(rows.stop, count)
    return Scan(size=size, grey=grey, unreadable=tuple(unreadable))


def _identity(samples: Samples) -> Samples:
    """The table, sent once to each process."""
    return samples


def _scan_rows(samples: Samples, rows: range) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    size = np.zeros((len(rows), 2), dtype=np.int64)
    grey = np.zeros((len(rows), GREY_PX, GREY_PX), dtype=np.uint8)
    problems = []
    for i, row in enumerate(rows):
        try:
            image = labelled_region(samples, row)
        except InputError as error:
            reason = error.reason if isinstance(error, ImageError) else str(error)
            what, _, remedy = reason.partition("; ")
            problems.append(Problem("unreadable", str(samples.path[row]), what, remedy or "fetch it again"))
            continue
        size[i] = image.shape[1], image.shape[0]
        pil = Image.fromarray(image).convert("L")
        grey[i] = np.asarray(pil.resize((GREY_PX, GREY_PX), Image.Resampling.BOX))
    return size, grey, problems
