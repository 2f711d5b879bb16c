"""A reader's answers for a labelled set: what evaluation judges."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mien.data.samples import Samples
from mien.errors import InputError
from mien.geometry import Box, overlap
from mien.pipeline.reader import Reader
from mien.results import Face

WINDOW = 64  # pictures read ahead; memory stays small on sets of millions


def answer(
    reader: Reader,
    samples: Samples,
    *,
    search: bool,
    jobs: int = 2,
    step: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, list[str]]:
    """Probabilities (N, K) in the reader's classes, zeros where no face was found; and what could not be read.

    `search`: faces are searched, and the one that fits the set's box best, or the largest, answers. Otherwise the
    set's box, or the whole picture, is the face. `jobs` pictures at a time; `step` is called after each.
    """
    found = np.zeros((len(samples), len(reader.labels)))
    unread: list[str] = []

    def read(row: int) -> Face | str | None:
        box = None if samples.box is None or not np.isfinite(samples.box[row]).all() else samples.box[row]
        given = None if search or box is None else [Box(*box.tolist())]
        try:
            faces = reader.predict(samples.picture(row), crop=not search, boxes=given)
        except InputError as error:
            return str(error)
        return _chosen(faces, box if search else None)

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
    if box is None:
        return faces[0]
    sides = np.array([[face.box.left, face.box.top, face.box.right, face.box.bottom] for face in faces])
    shared = overlap(box, sides)
    return faces[int(shared.argmax())] if shared.max() > 0 else None
