"""Predictions for labelled images, and for corrupted versions of the same images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mien.datasets.samples import Samples
from mien.errors import InputError
from mien.evaluation.corruptions import Corruption, FaceRegion, corrupt
from mien.faces.matching import annotated_face
from mien.geometry import Box, box_array
from mien.labels import LabelSet
from mien.media.work import Progress, map_bounded, no_progress
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.seen import SeenFace
from mien.preprocess import box_in_pixels, image_square
from mien.results import Face


@dataclass(frozen=True, kw_only=True, eq=False)
class SamplePredictions:
    """Probabilities of R networks for N images and V corrupted versions of each; zeros: no face detected."""

    labels: list[LabelSet]  # of each network
    clean: list[np.ndarray]  # R times (N, K)
    corrupted: list[np.ndarray]  # R times (V, N, K)
    altered: np.ndarray  # (V, N) bool: whether the corruption changed the image at all
    yaw_deg: np.ndarray  # (N,) of the head, as the first network's pipeline measures it; NaN: no face
    unread: list[str] = field(default_factory=list)  # images that could not be read, and why

    @classmethod
    def empty(cls, labels: Sequence[LabelSet], images: int, versions: int) -> SamplePredictions:
        """No predictions yet."""
        return cls(
            labels=list(labels),
            clean=[np.zeros((images, len(one))) for one in labels],
            corrupted=[np.zeros((versions, images, len(one))) for one in labels],
            altered=np.zeros((versions, images), dtype=bool),
            yaw_deg=np.full(images, np.nan),
        )


def predict_samples(
    runs: Iterable[tuple[np.ndarray, Sequence[Recognizer]]],
    samples: Samples,
    corruptions: Sequence[tuple[Corruption, str]] = (),
    *,
    detect: bool,
    align: bool = True,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = no_progress,
) -> SamplePredictions:
    """Predict each image as it is and under each (corruption, severity).

    `runs`: rows of the samples and the R recognizers that predict them: one run per fold, or one for all rows.
    `detect`: faces are detected, and the annotated one counts (`mien.faces.matching`); otherwise the set's box, or
    the whole image, is the face. `align`: False feeds its pixels as they are, only resized. Images are corrupted
    before detection and alignment; the face region is that of the first recognizer on the clean image, and all
    recognizers see the same pixels.
    """
    result: SamplePredictions | None = None
    done = 0
    for rows, recognizers in runs:
        if result is None:
            result = SamplePredictions.empty([one.labels for one in recognizers], len(samples), len(corruptions))
        predict = partial(
            _predict_row, result, recognizers, samples=samples, corruptions=corruptions, detect=detect, align=align,
            seed=seed,
        )  # fmt: skip
        for problem in map_bounded(predict, rows.tolist(), workers=workers):
            done += 1
            progress(done, len(samples))
            if problem is not None:
                result.unread.append(problem)
    assert result is not None, "no run"  # noqa: S101
    return result


def _predict_row(
    result: SamplePredictions,
    recognizers: Sequence[Recognizer],
    row: int,
    *,
    samples: Samples,
    corruptions: Sequence[tuple[Corruption, str]],
    detect: bool,
    align: bool,
    seed: int,
) -> str | None:
    """Fill one row; why its image could not be read."""
    try:
        image = samples.image(row)
    except InputError as error:
        return str(error)
    box = None if samples.box is None or not np.isfinite(samples.box[row]).all() else samples.box[row]
    face_of = partial(annotated, detect=detect) if align else unaligned
    clean = [face_of(one, image, box) for one in recognizers]
    for probabilities, face in zip(result.clean, clean, strict=True):
        _fill(probabilities[row], face)
    first = clean[0]
    if first is not None and first.pose is not None:
        result.yaw_deg[row] = first.pose.yaw_deg
    region = FaceRegion.of(image, None if first is None or first.landmarks is None else np.array(first.landmarks))
    for v, (corruption, severity) in enumerate(corruptions):
        worse = corrupt(image, corruption, severity, region=region, name=str(samples.path[row]), seed=seed)
        altered = worse is not image and not np.array_equal(worse, image)
        result.altered[v, row] = altered
        for probabilities, recognizer, face in zip(result.corrupted, recognizers, clean, strict=True):
            _fill(probabilities[v, row], face_of(recognizer, worse, box) if altered else face)
    return None


def annotated(recognizer: Recognizer, image: np.ndarray, box: np.ndarray | None, *, detect: bool) -> Face | None:
    """The face that the label of an image (H, W, 3) is about; None where it is not detected.

    `box` (4,) in pixels as the set states it, or None; `detect` as `predict_samples`.
    """
    if not detect:
        return recognizer.predict(image, detect=False, boxes=None if box is None else [Box(*box.tolist())])[0]
    faces = recognizer.predict(image)
    best = annotated_face(box, box_array(face.box for face in faces))
    return None if best is None else faces[best]


def unaligned(recognizer: Recognizer, image: np.ndarray, box: np.ndarray | None) -> Face:
    """The inside of the box (4,), or the whole image (H, W, 3), resized to the network's input."""
    crop, _ = image_square(image, box, recognizer.network.manifest.inputs.size_px)
    face = Face(box=Box(*map(float, box_in_pixels(image, box))))
    return recognizer.with_expressions([SeenFace(face, crop)])[0]


def _fill(row: np.ndarray, face: Face | None) -> None:
    if face is not None and face.expression is not None:
        row[:] = face.expression.values
