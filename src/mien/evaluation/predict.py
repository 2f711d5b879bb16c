"""A recognizer's answers for a labelled set: what evaluation judges."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import InputError
from mien.geometry import Box, iou
from mien.pipeline.recognizer import Recognizer
from mien.results import Face

WINDOW = 64  # images read ahead; memory stays small on sets of millions


def answer(
    recognizer: Recognizer,
    samples: Samples,
    *,
    search: bool,
    jobs: int = 2,
    step: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, list[str]]:
    """Probabilities (N, K) in the recognizer's classes, zeros where no face was found; and what could not be read.

    `search`: faces are searched, and the one that fits the set's box best, or the largest, answers. Otherwise the
    set's box, or the whole image, is the face. `jobs` images at a time; `step` is called after each.
    """
    found = np.zeros((len(samples), len(recognizer.labels)))
    unread: list[str] = []

    def read(row: int) -> Face | str | None:
        try:
            return labelled_face(recognizer, samples.image(row), box_of(samples, row), search=search)
        except InputError as error:
            return str(error)

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


def box_of(samples: Samples, row: int) -> np.ndarray | None:
    """The box (4,) that the set states for a row."""
    if samples.box is None or not np.isfinite(samples.box[row]).all():
        return None
    return samples.box[row]


def labelled_face(
    recognizer: Recognizer, image: np.ndarray, box: np.ndarray | None, *, search: bool
) -> Face | None:
    """The face that the label of an image (H, W, 3) is about, read; None where it is not found.

    `box` (4,) in pixels as the set states it, or None; `search` as `answer`.
    """
    given = None if search or box is None else [Box(*box.tolist())]
    faces = recognizer.predict(image, detect=search, boxes=given)
    if not faces:
        return None
    if box is None or not search:
        return faces[0]
    sides = np.array([[face.box.left, face.box.top, face.box.right, face.box.bottom] for face in faces])
    shared = iou(box, sides)
    return faces[int(shared.argmax())] if shared.max() > 0 else None
