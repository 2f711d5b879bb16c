"""`mien.load`, and `mien.predict` and `mien.stream`, which keep what they have loaded."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mien.arguments import checked
from mien.errors import OptionError
from mien.faces import Detector
from mien.faces.landmarks import Landmarks68Onnx
from mien.geometry import Box
from mien.labels import LabelSet, label_set
from mien.media.frames import FrameSource
from mien.media.images import ImageSource
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import DEFAULT_DETECTOR, DETECTION_THRESHOLD, detector_called
from mien.pipeline.precision import open_precise
from mien.pipeline.recognizer import Recognizer
from mien.results import Face, VideoFrame
from mien.weights.manifest import load_manifest

MOST_THREADS = 1024  # of a network
KEPT_LOADED = 4  # recognizers that `predict` keeps for its next call


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


def default_landmarker(*, threads: int = 0, precision: str = "float32") -> Landmarks68Onnx:
    """The 68-point network of the package. `precision`: `load`."""
    manifest = load_manifest("landmarks68")
    return Landmarks68Onnx(open_precise(manifest, threads=threads, precision=precision)[0], manifest.inputs)
