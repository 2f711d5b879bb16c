"""A reader's answers for a labelled set: what evaluation judges."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mien.data.samples import Samples
from mien.errors import InputError
from mien.geometry import overlap
from mien.pipeline.reader import Reader
from mien.results import Face

WINDOW = 64  # pictures read ahead; memory stays small on sets of millions


def answer(
    reader: Reader,
    samples: Samples,
    *,
    crops: bool,
    jobs: int = 2,
    step: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, list[str]]:
    """Probabilities (N, K) in the reader's classes, zeros where no face was found; and what could not be read.

    `crops`: every picture is one face. Otherwise faces are searched and the one that fits the set's box best,
    or the largest, answers. `jobs` pictures at a time; `step` is called after each.
    """
    found = np.zeros((len(samples), len(reader.labels)))
    unread: list[str] = []

    def read(row: int) -> Face | str | None:
        try:
            faces = reader.predict(samples.picture(row), crop=crops)
        except InputError as error:
            return str(error)
        return _chosen(faces, None if samples.box is None else samples.box[row])

    with ThreadPoolExecutor(jobs) as pool:
        for start in range(0, len(samples), WINDOW):
            rows = range(start, min(start + WINDOW, len(samples)))
            for row, result in zip(rows, pool.map(read, rows), strict=True):
                if isinstance(result, str):
                    unread.append(result)
                elif result is not None and result.expression is not None:
                    found[row] = result.expression.values
                step()
    return found, unread


def _chosen(faces: list[Face], box: np.ndarray | None) -> Face | None:
    """The face that the label is about."""
    if not faces:
        return None
    if box is None or not np.isfinite(box).all():
        return faces[0]
    sides = np.array([[face.box.left, face.box.top, face.box.right, face.box.bottom] for face in faces])
    shared = overlap(box, sides)
    return faces[int(shared.argmax())] if shared.max() > 0 else None
