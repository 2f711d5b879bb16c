"""One image to its faces: detected, aligned, classified."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mien._version import __version__
from mien.arguments import checked
from mien.errors import InputError, OptionError, shortened
from mien.faces import Detection, Detector, Landmarker
from mien.faces.landmarks import Landmarks68Onnx
from mien.geometry import Box
from mien.labels import LabelSet, label_set
from mien.media.animation import frames_of
from mien.media.frames import FrameSource, Sampling
from mien.media.images import ImageSource, to_rgb
from mien.media.work import worker_count
from mien.pipeline.batch import BatchOptions
from mien.pipeline.batch import stream as stream_batch
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import (
    DEFAULT_DETECTOR,
    DETECTION_THRESHOLD,
    checked_detections,
    detector_called,
    upright_measure,
)
from mien.pipeline.precision import open_precise
from mien.pipeline.rows import rows_of
from mien.pipeline.seen import SeenFace, seen_face
from mien.pipeline.turns import AnyRoll, LocatedFace
from mien.pipeline.video import VideoPredictor
from mien.results import Face, ImageResult, Scores, VideoFrame
from mien.weights.manifest import load_manifest

if TYPE_CHECKING:
    import pyarrow

MOST_THREADS = 1024  # of a network
KEPT_LOADED = 4  # recognizers that `predict` keeps for its next call


class Recognizer:
    """Predicts the expression of every face. Made once by `mien.load`, used for many images.

    May be used from several threads, in forked processes, and pickled: the copy loads its weights again.
    Each part can be the user's own: anything with the methods of `mien.Detector` and `mien.Landmarker`.
    """

    def __init__(self, *, detector: Detector, landmarker: Landmarker, network: ExpressionNetwork) -> None:
        self.detector, self.landmarker, self.network = detector, landmarker, network
        self.any_roll = AnyRoll(landmarker, upright_measure())

    def __repr__(self) -> str:
        detector = getattr(self.detector, "name", type(self.detector).__name__)
        return f"Recognizer({self.network.manifest.name!r}, detector={detector!r}, classes={len(self.labels)})"

    @property
    def labels(self) -> LabelSet:
        """The classes of the predictions, in the order of the table's columns."""
        return self.network.labels

    def describe(self) -> dict[str, Any]:
        """Everything that decides the predictions, as plain values; kept with tables that are being made."""
        detector = getattr(self.detector, "settings", type(self.detector).__name__)
        return self.network.describe() | {"version": __version__, "detector": detector}

    @checked
    def predict(
        self, source: ImageSource, *, detect: bool = True, boxes: Sequence[Box] | None = None
    ) -> list[Face]:
        """The faces of one image, largest first; no face: an empty list.

        `source`: a path, the bytes of an image file, a PIL image, or an array (H, W), (H, W, 3) RGB or
        (H, W, 4) RGBA of whole numbers 0..255 or floats 0..1. `detect`: False where the image is one face already;
        one face comes back. `boxes`: where the faces are, instead of detection; they come back in this order.
        Raises `ImageError` for a file that gives no pixels, `InputError` for another source.
        """
        return self.with_expressions(self.see(source, detect=detect, boxes=boxes))

    @checked
    def see(
        self, source: ImageSource, *, detect: bool = True, boxes: Sequence[Box] | None = None
    ) -> list[SeenFace]:
        """The faces as `predict` gives them, without expressions.

        `with_expressions` adds these, to the faces of many images at once.
        """
        image = to_rgb(source)
        height, width = image.shape[:2]
        if boxes is None and not detect:
            boxes = [Box(0, 0, width, height)]
        if boxes is None:
            located = self.any_roll.detect(image, self.detections)
        else:
            located = self.any_roll.locate(image, [Detection(_box(box, width, height), 1.0) for box in boxes])
        seen = [seen_face(image, face, self.network.manifest.inputs) for face in located]
        return seen if boxes is None else [replace(one, face=replace(one.face, detection=None)) for one in seen]

    @checked
    def detections(self, image: ImageSource) -> list[Detection]:
        """The faces that the detector detects in an image this way up. `image`: as for `predict`."""
        return checked_detections(self.detector.detect(to_rgb(image)))

    @checked
    def recognise(self, faces: Sequence[tuple[np.ndarray, LocatedFace]]) -> list[Face]:
        """Located faces, each with its image (H, W, 3) uint8 RGB, with their expressions: one batch."""
        inputs = self.network.manifest.inputs
        return self.with_expressions([seen_face(image, face, inputs) for image, face in faces])

    @checked
    def with_expressions(self, seen: Sequence[SeenFace]) -> list[Face]:
        """Seen faces, of any images, with their expressions: one batch."""
        if not seen:
            return []
        probabilities = self.network.probabilities(np.stack([one.crop for one in seen])).tolist()
        threshold = self.network.confidence_threshold
        return [
            replace(one.face, expression=Scores(self.labels, tuple(row), threshold))
            for one, row in zip(seen, probabilities, strict=True)
        ]

    def stream(
        self, sources: Iterable[str | os.PathLike[str]], **options: Unpack[BatchOptions]
    ) -> Iterator[ImageResult]:
        """The result of each image as soon as it is there, in order and in bounded memory.

        Options: `BatchOptions`. The table `output` is written when the last result has been taken; a run that is
        left earlier is resumed by the next.
        """
        if isinstance(sources, (str, os.PathLike)):
            raise InputError("sources are a list of images and folders; for one, use predict or predict_folder")
        return stream_batch(self, sources, **options)

    def predict_many(
        self, sources: Iterable[str | os.PathLike[str]], **options: Unpack[BatchOptions]
    ) -> pyarrow.Table:
        """Images and folders as one table (columns: docs/reference/table.md). Options: `BatchOptions`.

        A file that cannot be read is a row with its `error`.
        """
        from mien.pipeline.table import read_table, to_arrow

        results, output = self.stream(sources, **options), options.get("output")
        if output is None:
            return to_arrow((row for result in results for row in rows_of(result, self.labels)), self.labels)
        deque(results, maxlen=0)
        return read_table(Path(output), self.labels)

    @checked
    def frames(
        self,
        source: str | os.PathLike[str] | FrameSource,
        *,
        detect: bool = True,
        fps: float | None = None,
        every: int = 1,
        start_s: float = 0.0,
        end_s: float | None = None,
        smoothing: bool = True,
        reuse_scores: bool = True,
        images: bool = True,
        live: bool = False,
        workers: int = 2,
    ) -> Iterator[VideoFrame]:
        """The examined frames of a video as soon as they are predicted, in order and in bounded memory.

        `source`: the path of a video or an animated image, or frames of your own (`mien.media.frames.FrameSource`).
        `detect`: False where each frame is one face already. `fps`: at most so many frames a second, or `every`
        n-th frame. `start_s`, `end_s`: seconds. `smoothing`: also smooth the scores of each track, for which frames
        wait half a second of video. `reuse_scores`: as in `BatchOptions`. `images`: results carry their image.
        `live`: nothing is read ahead, every frame is detected in, smoothed with those before it and given at once.
        `workers`: threads; with more than one, `mien.load(threads=1)` is fastest.

        A video that cannot be read, or not to its end, ends with a `VideoFrame` that has an `error`.
        """
        sampling = Sampling(fps=fps, every=every, start_s=start_s, end_s=end_s)
        if isinstance(source, (str, os.PathLike)):
            source = frames_of(os.fsdecode(source), sampling)
        elif sampling != Sampling():
            raise OptionError("fps, every, start_s and end_s are for files; your own source says what it gives")
        return iter(VideoPredictor(self, source, detect=detect, smoothing=smoothing, reuse_scores=reuse_scores,
                                   images=images, live=live, workers=worker_count(workers)))  # fmt: skip

    @checked
    def predict_video(
        self,
        video: str | os.PathLike[str],
        *,
        annotated: str | os.PathLike[str] | None = None,
        **options: Unpack[BatchOptions],
    ) -> pyarrow.Table:
        """A video as one table: a row for each face of each examined frame. Options: `BatchOptions`.

        `annotated`: also write the video with its faces marked here, as .mp4, and `anonymize` and `draw` as there.
        """
        from mien.pipeline.annotate import annotate_video, check_annotated

        drawing: dict[str, Any] = {key: value for key, value in options.items() if key in ("draw", "anonymize")}
        if annotated is not None:
            check_annotated(Path(annotated), os.fsdecode(video), drawing.get("draw", ()))
        table = self.predict_many([video], **options)
        if annotated is not None:
            annotate_video(os.fsdecode(video), table, Path(annotated), **drawing)
        return table

    @checked
    def predict_folder(self, folder: str | os.PathLike[str], **options: Unpack[BatchOptions]) -> pyarrow.Table:
        """Every image below a folder as one table. Options: `BatchOptions`."""
        if not os.path.isdir(folder):
            raise InputError(f"{os.fspath(folder)}: no such folder; check the path")
        return self.predict_many([folder], **options)


@checked
def load(
    weights: str | os.PathLike[str] = "default",
    *,
    detector: str | Detector = DEFAULT_DETECTOR,
    threshold: float = DETECTION_THRESHOLD,
    small_faces: bool | None = None,
    labels: str | Sequence[str] | None = None,
    priors: str = "default",
    tta: bool | None = None,
    min_confidence: float | None = None,
    precision: str = "auto",
    threads: int = 0,
) -> Recognizer:
    """A recognizer, to keep for many images.

    `weights`: the name of weights in the package, a converted or trained .safetensors file with its manifest beside
    it, or a folder with a manifest.json.
    `detector`: "yunet-slim", "centerface" (an extra), or an object of your own (`mien.Detector`).
    `threshold`: minimum confidence of a detection, 0 to 1.
    `small_faces`: whether large images are also searched tile by tile at full resolution, several times slower;
    None: in images that show small faces (docs/concepts/small-faces.md).
    `labels`: the label set of the predictions, by name or as classes; "raf-db" has no contempt.
    `priors`: the class frequencies to assume: "default", or others of the manifest.
    `tta`: average the logits of a face and of its horizontal flip; None: as the manifest says.
    `min_confidence`: minimum confidence of a `certain` prediction, 0 to 1; None: as the manifest says.
    `precision`: "float32", "int8", or "auto": int8 where this processor is faster with it (docs/performance.md).
    `threads`: per network; 0 takes every core.

    Raises `OptionError` for a value that cannot be, `WeightsError` for weights that cannot be used.
    """
    if not 0 < threshold < 1:
        raise OptionError(f"threshold is {threshold}; it must lie between 0 and 1 (default {DETECTION_THRESHOLD})")
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise OptionError(f"min_confidence is {min_confidence}; it is a probability, 0 to 1")
    if not 0 <= threads <= MOST_THREADS:
        raise OptionError(f"threads is {threads}; give a number up to {MOST_THREADS}; 0 takes every core")
    if isinstance(detector, str):
        detector = detector_called(detector, threshold=threshold, tiles=small_faces, threads=threads)
    manifest = load_manifest(os.fspath(weights))
    network = ExpressionNetwork(
        manifest if tta is None else replace(manifest, tta=tta),
        priors=priors,
        labels=_labels(labels),
        min_confidence=min_confidence,
        threads=threads,
        precision=precision,
    )
    landmarker = default_landmarker(threads=threads, precision=precision)
    return Recognizer(detector=detector, landmarker=landmarker, network=network)


@checked
def predict(
    source: ImageSource,
    *,
    detect: bool = True,
    boxes: Sequence[Box] | None = None,
    weights: str | os.PathLike[str] = "default",
    detector: str | Detector = DEFAULT_DETECTOR,
    threshold: float = DETECTION_THRESHOLD,
    small_faces: bool | None = None,
    labels: str | Sequence[str] | None = None,
    priors: str = "default",
    tta: bool | None = None,
    min_confidence: float | None = None,
    precision: str = "auto",
) -> list[Face]:
    """The faces of one image, largest first: `load(...).predict(source, detect=..., boxes=...)`.

    Networks stay loaded from one call to the next, for the last four combinations of options; weights whose
    manifest was written anew are loaded anew. May be called from several threads.
    """
    options = {
        "threshold": threshold, "small_faces": small_faces, "labels": _labels(labels), "priors": priors, "tta": tta,
        "min_confidence": min_confidence, "precision": precision,
    }  # fmt: skip
    own = None if isinstance(detector, str) else detector
    recognizer = _loaded(weights, **options, detector=DEFAULT_DETECTOR if own else detector)
    if own:
        recognizer = Recognizer(detector=own, landmarker=recognizer.landmarker, network=recognizer.network)
    return recognizer.predict(source, detect=detect, boxes=boxes)


@checked
def stream(
    source: str | os.PathLike[str] | FrameSource,
    *,
    fps: float | None = None,
    every: int = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    smoothing: bool = True,
    reuse_scores: bool = True,
    images: bool = True,
    weights: str | os.PathLike[str] = "default",
) -> Iterator[VideoFrame]:
    """The frames of a video with faces, tracks and expressions: `load(weights, threads=1).frames(source, ...)`.

    for frame in mien.stream("talk.mp4"):
        print(frame.time_s, [(face.track, face.smoothed.top) for face in frame.faces])
    """
    recognizer = _loaded(weights, threads=1)
    return recognizer.frames(
        source, fps=fps, every=every, start_s=start_s, end_s=end_s, smoothing=smoothing,
        reuse_scores=reuse_scores, images=images,
    )  # fmt: skip


_loading = threading.Lock()


def _fresh_lock() -> None:
    global _loading
    _loading = threading.Lock()


if hasattr(os, "register_at_fork"):  # a thread of the parent may have held it
    os.register_at_fork(after_in_child=_fresh_lock)


def _loaded(weights: str | os.PathLike[str], **options: Any) -> Recognizer:
    """`load`, or what it gave to the same options before."""
    manifest = load_manifest(os.fspath(weights)).path
    state = manifest.stat()
    try:
        with _loading:  # two threads would load twice
            return _load_cached(manifest, state.st_mtime_ns, state.st_size, **options)
    except TypeError:  # an option that cannot be part of a key is of the wrong type: `load` raises the right error
        return load(manifest, **options)


@lru_cache(maxsize=KEPT_LOADED)
def _load_cached(manifest: Path, _changed_ns: int, _size: int, **options: Any) -> Recognizer:
    return load(manifest, **options)


def _labels(labels: str | Sequence[str] | None) -> LabelSet | None:
    if labels is None or isinstance(labels, str):
        return None if labels is None else label_set(labels)
    try:
        if len(labels) < 2:
            raise OptionError("at least two")
        return label_set(labels)
    except OptionError as error:
        raise OptionError(f"labels are {labels!r}; give the name of a label set, or classes ({error})") from error


def _box(box: Box, width: int, height: int) -> Box:
    if not isinstance(box, Box):
        raise OptionError(f"boxes holds {shortened(box)}; give mien.Box(left, top, right, bottom) in pixels")
    box = Box(*map(float, astuple(box)))
    if not (box.width > 0 and box.height > 0):
        raise OptionError(f"boxes holds {box!r}, which has no area; right and bottom lie beyond left and top")
    seen = box.clipped(width, height)
    if 4 * seen.area < box.area:
        image = f"the image of {width}x{height} pixels"
        raise OptionError(f"boxes holds {box!r}, most of it outside {image}; give pixels of it")
    return box


def default_landmarker(*, threads: int = 0, precision: str = "float32") -> Landmarks68Onnx:
    """The 68-point network of the package. `precision`: `load`."""
    manifest = load_manifest("landmarks68")
    return Landmarks68Onnx(open_precise(manifest, threads=threads, precision=precision)[0], manifest.inputs)
