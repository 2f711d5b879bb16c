"""One image to its faces: detected, aligned, classified."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mien._version import __version__
from mien.arguments import checked
from mien.errors import InputError, OptionError, shortened
from mien.faces import Detection, Detector, Landmarker
from mien.geometry import Box
from mien.labels import LabelSet
from mien.media.animation import frames_of
from mien.media.frames import FrameSource, Sampling
from mien.media.images import ImageSource, to_rgb
from mien.media.work import worker_count
from mien.pipeline.batch import BatchOptions
from mien.pipeline.batch import stream as stream_batch
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import checked_detections, upright_measure
from mien.pipeline.rows import rows_of
from mien.pipeline.seen import SeenFace, seen_face
from mien.pipeline.turns import AnyRoll, LocatedFace
from mien.pipeline.video import VideoPredictor
from mien.results import Face, ImageResult, Scores, VideoFrame

if TYPE_CHECKING:
    import pyarrow


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
        located = self.locate(image, detect=detect, boxes=boxes)
        inputs, detected = self.network.manifest.inputs, boxes is None and detect
        return [seen_face(image, face, inputs, detected=detected) for face in located]

    @checked
    def locate(
        self, source: ImageSource, *, detect: bool = True, boxes: Sequence[Box] | None = None
    ) -> list[LocatedFace]:
        """Where the faces are that `predict` gives; `recognise` takes them."""
        image = to_rgb(source)
        height, width = image.shape[:2]
        if boxes is not None:
            return self.any_roll.locate_boxes(image, [_box(box, width, height) for box in boxes])
        if not detect:
            return self.any_roll.locate_boxes(image, [Box(0, 0, width, height)])
        return self.any_roll.detect(image, self.detections)

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
        self.network.manifest.inputs.check_photos()
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
