"""The images of one batch to their predictions, in a worker thread; what goes wrong with one is its own error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from mien.errors import ImageError, MienError, OptionError
from mien.faces import Detection
from mien.geometry import Box
from mien.media.images import read_first_frame
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import rows_of
from mien.pipeline.turns import LocatedFace
from mien.results import Face, ImageResult, reasons
from mien.service.options import PredictOptions
from mien.service.recognizers import Recognizers

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO", "JPEG2000", "PPM")  # none runs a program
HELD_PIXELS = 24_000_000  # decoded images of a batch that are held at a time


@dataclass(frozen=True)
class ImageRequest:
    """One image as it was received. `name`: for `source` in its result only."""

    data: bytes
    name: str
    options: PredictOptions


@dataclass(eq=False)
class Located:
    """A decoded image and its faces."""

    index: int  # in the batch
    image: np.ndarray
    frames: int
    small_faces: bool | None  # as in the options, but False beyond the limit of size
    faces: list[LocatedFace] = field(default_factory=list)


class ImageWork:
    """`run` of a `Gatherer`: a batch of images to the JSON of their results."""

    def __init__(self, recognizers: Recognizers, *, max_pixels: int, max_search_pixels: int) -> None:
        self._recognizers, self._max_pixels = recognizers, max_pixels
        self._max_search_pixels = max_search_pixels

    def __call__(self, batch: Sequence[ImageRequest]) -> list[bytes | Exception]:
        """JSON or an error for each, in the order of the batch."""
        results: list[bytes | Exception] = [MienError("not predicted")] * len(batch)
        order = sorted(range(len(batch)), key=lambda index: repr(batch[index].options))
        for _, group in groupby(order, key=lambda index: repr(batch[index].options)):
            indices = list(group)
            try:
                recognizer = self._recognizers.of(batch[indices[0]].options)
            except MienError as error:
                results = [error if index in indices else result for index, result in enumerate(results)]
                continue
            for held in self._located(batch, indices, recognizer, results):
                self._recognise(batch, held, recognizer, results)
        return results

    def _located(
        self,
        batch: Sequence[ImageRequest],
        indices: Sequence[int],
        recognizer: Recognizer,
        results: list[bytes | Exception],
    ) -> Iterator[list[Located]]:
        """The located faces of as many images as may be held at a time."""
        held: list[Located] = []
        pixels = 0
        for index in indices:
            request = batch[index]
            try:
                held.append(self.located(index, request, recognizer))
                height, width = held[-1].image.shape[:2]
                pixels += height * width
            except Exception as error:  # one strange image must not end the others
                results[index] = error
            if pixels >= HELD_PIXELS:
                yield held
                held, pixels = [], 0
        if held:
            yield held

    def located(self, index: int, request: ImageRequest, recognizer: Recognizer) -> Located:
        """The image of a request, decoded within the limits, and its faces."""
        check_image(request.data, request.name, max_pixels=self._max_pixels)
        image, frames = read_first_frame(request.data, name=request.name)
        height, width = image.shape[:2]
        check_size(width, height, request.name, self._max_pixels)  # of HEIC only now
        options = request.options
        if not options.detect:
            faces = recognizer.any_roll.locate(image, [Detection(Box(0, 0, width, height), 1.0)])
            return Located(index, image, frames, None, faces)
        small_faces = options.small_faces
        if height * width > self._max_search_pixels:
            if small_faces:
                limit = self._max_search_pixels / 1e6
                raise OptionError(f"small_faces is for images up to {limit:g} megapixels here; make it smaller")
            small_faces = False
            recognizer = self._recognizers.of(options.model_copy(update={"small_faces": False}))
        faces = recognizer.any_roll.detect(image, recognizer.detections)
        return Located(index, image, frames, small_faces, faces)

    def _recognise(
        self,
        batch: Sequence[ImageRequest],
        held: Sequence[Located],
        recognizer: Recognizer,
        results: list[bytes | Exception],
    ) -> None:
        try:
            faces = iter(recognizer.recognise([(one.image, face) for one in held for face in one.faces]))
            for one in held:
                request = batch[one.index]
                result = ImageResult(request.name, tuple(next(faces) for _ in one.faces), frames=one.frames)
                results[one.index] = to_json(result, one.image, one.small_faces, recognizer)
        except Exception as error:
            if len(held) == 1:
                results[held[0].index] = error
                return
            for one in held:
                self._recognise(batch, [one], recognizer, results)


def check_image(source: bytes | Path, name: str, *, max_pixels: int) -> None:
    """Refuse by the header what is no image of `FORMATS`, or larger than it may be. Raises `ImageError`."""
    if isinstance(source, bytes) and source[4:8] == b"ftyp" and source[8:12] not in (b"avif", b"avis"):
        return  # HEIC, or a video: read_image says what it needs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(opened, formats=FORMATS) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        width, height = max_pixels, 2
    except Exception:
        reason = f"is not an image of a known format; send one of {', '.join(FORMATS[:7])}"
        raise ImageError(name, reason) from None
    check_size(width, height, name, max_pixels)


def check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raises `ImageError` for an image of more pixels than it may have."""
    if width * height > max_pixels:
        raise ImageError(name, f"more than {max_pixels / 1e6:g} megapixels; make it smaller")


def to_json(result: ImageResult, image: np.ndarray, small_faces: bool | None, recognizer: Recognizer) -> bytes:
    """The body of the response, `mien.service.schemas.Prediction`."""
    manifest = recognizer.network.manifest
    return msgspec.json.encode(
        {
            "source": result.source,
            "width": image.shape[1],
            "height": image.shape[0],
            "frames": result.frames,
            "small_faces": small_faces,
            "weights": {"name": manifest.name, "identity": manifest.identity},
            "labels": [str(label) for label in recognizer.labels],
            "confidence_threshold": recognizer.network.confidence_threshold,
            "faces": [face_values(face) for face in result.faces],
            "rows": rows_of(result, recognizer.labels),
        }
    )


def face_values(face: Face) -> dict[str, Any]:
    """`Face.to_dict` and the reasons why it is not certain."""
    return face.to_dict() | {"reasons": reasons(face)}
