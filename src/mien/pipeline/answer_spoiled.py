"""A reader's answers for a labelled set and for spoiled versions of the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mien.data.corruptions import Corruption, Place, spoiled
from mien.data.samples import Samples
from mien.errors import InputError
from mien.pipeline.answer import WINDOW, box_of, labelled_face
from mien.pipeline.reader import Reader
from mien.results import Face


@dataclass(frozen=True, kw_only=True, eq=False)
class Spoiled:
    """Answers of several readers to N pictures and V spoiled versions of each; zeros where no face was found."""

    clean: list[np.ndarray]  # for each reader (N, K)
    versions: list[np.ndarray]  # for each reader (V, N, K)
    altered: np.ndarray  # (V, N) bool: whether the corruption altered the picture at all
    yaw_deg: np.ndarray  # (N,) of the head, as the first reader measured it on the clean picture; NaN: no face
    unread: list[str] = field(default_factory=list)  # what could not be read


def answer_spoiled(
    readers: Sequence[Reader],
    samples: Samples,
    versions: Sequence[tuple[Corruption, str]],
    *,
    search: bool,
    jobs: int = 2,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> Spoiled:
    """Read every picture as it is and in every version (corruption, strength).

    Pictures are spoiled whole, before faces are searched and aligned. Where the face is, for strengths that count
    in it and for what is drawn on it, the first reader says from the clean picture. All readers see the same
    pixels.
    `search`, `jobs` and `step` as `mien.pipeline.answer.answer`.
    """
    count = len(samples)
    found = Spoiled(
        clean=[np.zeros((count, len(reader.labels))) for reader in readers],
        versions=[np.zeros((len(versions), count, len(reader.labels))) for reader in readers],
        altered=np.zeros((len(versions), count), dtype=bool),
        yaw_deg=np.full(count, np.nan),
    )

    def read(row: int) -> str | None:
        try:
            picture = samples.picture(row)
        except InputError as error:
            return str(error)
        box = box_of(samples, row)
        clean = [labelled_face(reader, picture, box, search=search) for reader in readers]
        for scores, face in zip(found.clean, clean, strict=True):
            scores[row] = _scores(face, scores.shape[1])
        first = clean[0]
        points = None if first is None or first.landmarks is None else np.array(first.landmarks)
        if first is not None and first.pose is not None:
            found.yaw_deg[row] = first.pose.yaw_deg
        place = Place.of(picture, points)
        for v, (corruption, strength) in enumerate(versions):
            worse = spoiled(corruption, strength, picture, place, name=str(samples.path[row]), seed=seed)
            same = worse is picture or np.array_equal(worse, picture)
            found.altered[v, row] = not same
            for scores, reader, before in zip(found.versions, readers, clean, strict=True):
                face = before if same else labelled_face(reader, worse, box, search=search)
                scores[v, row] = _scores(face, scores.shape[2])
        return None

    with ThreadPoolExecutor(jobs) as pool:
        for start in range(0, count, WINDOW):
            for problem in pool.map(read, range(start, min(start + WINDOW, count))):
                if problem is not None:
                    found.unread.append(problem)
                step()
    return found


def _scores(face: Face | None, classes: int) -> np.ndarray:
    if face is None or face.expression is None:
        return np.zeros(classes)
    return np.array(face.expression.values)
