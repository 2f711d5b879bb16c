"""A recognizer's answers for a labelled set and for corrupted versions of the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import InputError
from mien.evaluation.corruptions import Corruption, FaceRegion, corrupt
from mien.evaluation.predict import WINDOW, box_of, labelled_face
from mien.pipeline.recognizer import Recognizer
from mien.results import Face


@dataclass(frozen=True, kw_only=True, eq=False)
class CorruptedResult:
    """Predictions of several recognizers to N images and V corrupted versions of each; zeros where no face was found."""

    clean: list[np.ndarray]  # for each recognizer (N, K)
    versions: list[np.ndarray]  # for each recognizer (V, N, K)
    altered: np.ndarray  # (V, N) bool: whether the corruption altered the image at all
    yaw_deg: np.ndarray  # (N,) of the head, as the first recognizer measured it on the clean image; NaN: no face
    unread: list[str] = field(default_factory=list)  # what could not be read


def predict_corrupted(
    recognizers: Sequence[Recognizer],
    samples: Samples,
    versions: Sequence[tuple[Corruption, str]],
    *,
    search: bool,
    jobs: int = 2,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> CorruptedResult:
    """Read every image as it is and in every version (corruption, strength).

    Images are corrupted whole, before faces are searched and aligned. Where the face is, for strengths that count
    in it and for what is drawn on it, the first recognizer says from the clean image. All recognizers see the same
    pixels.
    `search`, `jobs` and `step` as `mien.evaluation.predict.answer`.
    """
    count = len(samples)
    found = CorruptedResult(
        clean=[np.zeros((count, len(recognizer.labels))) for recognizer in recognizers],
        versions=[np.zeros((len(versions), count, len(recognizer.labels))) for recognizer in recognizers],
        altered=np.zeros((len(versions), count), dtype=bool),
        yaw_deg=np.full(count, np.nan),
    )

    def read(row: int) -> str | None:
        try:
            image = samples.image(row)
        except InputError as error:
            return str(error)
        box = box_of(samples, row)
        clean = [labelled_face(recognizer, image, box, search=search) for recognizer in recognizers]
        for scores, face in zip(found.clean, clean, strict=True):
            scores[row] = _scores(face, scores.shape[1])
        first = clean[0]
        points = None if first is None or first.landmarks is None else np.array(first.landmarks)
        if first is not None and first.pose is not None:
            found.yaw_deg[row] = first.pose.yaw_deg
        place = FaceRegion.of(image, points)
        for v, (corruption, strength) in enumerate(versions):
            worse = corrupt(image, corruption, strength, region=place, name=str(samples.path[row]), seed=seed)
            same = worse is image or np.array_equal(worse, image)
            found.altered[v, row] = not same
            for scores, recognizer, before in zip(found.versions, recognizers, clean, strict=True):
                face = before if same else labelled_face(recognizer, worse, box, search=search)
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
