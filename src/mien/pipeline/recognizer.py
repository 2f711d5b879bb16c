"""One image to its faces: found, aligned, read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mien._version import __version__
from mien.errors import InputError, OptionError
from mien.faces import Detection, Detector, Landmarker
from mien.faces.landmarks import Landmarks68Onnx
from mien.faces.pose import head_pose
from mien.faces.quality import face_quality
from mien.geometry import Box
from mien.labels import LabelSet, label_set
from mien.media.images import read_image, rgb_of
from mien.pipeline.batch import Settings, collect
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import DEFAULT_DETECTOR, DETECTION_THRESHOLD, detector_called
from mien.results import Face, Scores
from mien.weights.manifest import load_manifest

if TYPE_CHECKING:
    import pyarrow


class Recognizer:
    """Reads the expression of every face. Made once by `mien.load`, used for many images; thread-safe.

    Each part can be the user's own: anything with the methods of `mien.faces.Detector` and `Landmarker`.
    """

    def __init__(self, *, detector: Detector, landmarker: Landmarker, network: ExpressionNetwork) -> None:
        self.detector, self.landmarker, self.network = detector, landmarker, network

    @property
    def labels(self) -> LabelSet:
        """The classes of the answers, in the order of the table's columns."""
        return self.network.labels

    def describe(self) -> dict[str, Any]:
        """Everything that decides the answers, as plain values; kept with tables that are being made."""
        manifest = self.network.manifest
        return {
            "weights": manifest.name,
            "files": manifest.files,
            "inputs": manifest.inputs.to_dict(),
            "priors": self.network.priors,
            "labels": list(self.labels),
            "confidence_threshold": self.network.confidence_threshold,
            "version": __version__,
            "detector": getattr(self.detector, "settings", type(self.detector).__name__),
        }

    def predict(self, source: Any, *, crop: bool = False, boxes: Sequence[Box] | None = None) -> list[Face]:
        """The faces of one image, largest first; no face: an empty list.

        `source`: a path, the bytes of an image file, a PIL image, or an array (H, W), (H, W, 3) RGB
        or (H, W, 4) RGBA of uint8. `crop`: the image is one face already; nothing is searched and one face
        comes back. `boxes`: where the faces are; nothing is searched and they come back in this order.
        Raises `ImageError` for a file that gives no pixels.
        """
        image = as_image(source)
        height, width = image.shape[:2]
        if boxes is None and crop:
            boxes = [Box(0, 0, width, height)]
        if boxes is not None:
            found = [Detection(box, 1.0) for box in boxes]
        else:
            found = sorted(self.detector.detect(image), key=lambda face: -face.box.area)
        if not found:
            return []
        points = self.landmarker.locate(image, [face.box for face in found])
        crops = np.stack([self.network.manifest.inputs.crop(image, place) for place in points])
        poses = [head_pose(place) for place in points]
        return [
            Face(
                box=face.box,
                detection=None if boxes is not None else face.score,
                landmarks=tuple((float(x), float(y)) for x, y in place),
                pose=pose,
                quality=face_quality(image, place, pose),
                expression=Scores(self.labels, tuple(row.tolist()), self.network.confidence_threshold),
            )
            for face, place, pose, row in zip(found, points, poses, self.network.read(crops), strict=True)
        ]

    def predict_folder(
        self,
        folder: str | os.PathLike[str],
        *,
        output: str | os.PathLike[str] | None = None,
        save: str | os.PathLike[str] | None = None,
        crops: bool = False,
        overwrite: bool = False,
    ) -> pyarrow.Table:
        """Every image below a folder as one table (columns: docs/reference/table.md).

        With `output` (.parquet, .csv, .jsonl) the table is also written, and a run that was interrupted is
        taken up where it stopped unless `overwrite`. With `save` annotated images go to that folder.
        """
        return self.predict_many([folder], output=output, save=save, crops=crops, overwrite=overwrite)

    def predict_many(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        output: str | os.PathLike[str] | None = None,
        save: str | os.PathLike[str] | None = None,
        crops: bool = False,
        overwrite: bool = False,
    ) -> pyarrow.Table:
        """Images and folders as one table; a file that cannot be read is a row with its `error`."""
        if isinstance(sources, (str, os.PathLike)):
            raise InputError(
                "predict_many takes a list of images and folders; for one, use predict or predict_folder"
            )
        settings = Settings(crops=crops, overwrite=overwrite, save=None if save is None else Path(save))
        return collect(self, sources, output=None if output is None else Path(output), settings=settings)


def load(
    weights: str | os.PathLike[str] = "default",
    *,
    threshold: float = DETECTION_THRESHOLD,
    small_faces: bool = False,
    detector: str = DEFAULT_DETECTOR,
    labels: str | LabelSet | None = None,
    priors: str = "default",
    tta: bool | None = None,
    min_confidence: float | None = None,
    threads: int = 0,
) -> Recognizer:
    """A recognizer from the weights in the package by name, or from a path: a converted or trained .safetensors file
    with its manifest beside it, or a folder with a `manifest.json`.

    `threshold`: least confidence of a face, 0..1. `small_faces`: also search large images tile by tile
    at full resolution, several times slower. `detector`: a key of
    `mien.pipeline.detectors.DETECTORS`. `labels`: a label set to answer in, by name: "raf-db" has no
    contempt. `priors`: the class frequencies to assume: "default", or others of the manifest.
    `tta`: average the logits of a face and of its horizontal flip; None: as the manifest says.
    `min_confidence`: least probability of a `certain` answer, 0..1; None: as the manifest states.
    `threads`: per network; 0 takes every core.
    """
    if not 0 < threshold < 1:
        raise OptionError(f"threshold is {threshold}; it must lie between 0 and 1 (default {DETECTION_THRESHOLD})")
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise OptionError(f"min_confidence is {min_confidence}; it is a probability, 0 to 1")
    if isinstance(labels, str):
        labels = label_set(labels)
    manifest = load_manifest(os.fspath(weights))
    if tta is not None:
        manifest = replace(manifest, tta=tta)
    return Recognizer(
        detector=detector_called(detector, threshold=threshold, tiles=small_faces, threads=threads),
        landmarker=default_landmarker(threads=threads),
        network=ExpressionNetwork(
            manifest, priors=priors, labels=labels, min_confidence=min_confidence, threads=threads
        ),
    )


def predict(
    source: Any,
    *,
    crop: bool = False,
    weights: str | os.PathLike[str] = "default",
    threshold: float = DETECTION_THRESHOLD,
    small_faces: bool = False,
    labels: str | LabelSet | None = None,
    priors: str = "default",
    min_confidence: float | None = None,
) -> list[Face]:
    """The faces of one image, largest first. Options as `load`; for many images keep a recognizer."""
    recognizer = load(
        weights,
        threshold=threshold,
        small_faces=small_faces,
        labels=labels,
        priors=priors,
        min_confidence=min_confidence,
    )
    return recognizer.predict(source, crop=crop)


def default_landmarker(*, threads: int = 0) -> Landmarks68Onnx:
    """The 68-point network of the package."""
    manifest = load_manifest("landmarks68")
    return Landmarks68Onnx(manifest.file(".onnx"), manifest.inputs, threads=threads)


def as_image(source: Any) -> np.ndarray:
    """A path, bytes, PIL image or array as RGB uint8 (H, W, 3)."""
    if isinstance(source, (str, os.PathLike, bytes)):
        return read_image(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return rgb_of(source)
    hint = "; for many images use recognizer.predict_many" if isinstance(source, (list, tuple)) else ""
    raise InputError(f"an image is a path, bytes, PIL image or array, not {type(source).__name__}{hint}")


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8:
        raise InputError(
            f"the array holds {array.dtype}; give uint8 RGB, 0..255 (floats: (255 * x).astype('uint8'))"
        )
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or 0 in array.shape:
        raise InputError(f"the array has shape {array.shape}; give (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey")
    if array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    return rgb_of(Image.fromarray(array))
