"""The images of one batch to their predictions, in a worker thread; what goes wrong with one is its own error."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from mien.errors import ImageError, MienError, OptionError
from mien.media.images import read_first_frame
from mien.media.sniff import HEAD, VIDEO_SUFFIXES, suffix_of
from mien.pipeline.image_files import recognised
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import rows_of
from mien.pipeline.seen import SeenFace, seen_face
from mien.pipeline.turns import LocatedFace
from mien.results import Face, ImageResult, reasons
from mien.service.options import PredictOptions
from mien.service.recognizers import Recognizers

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO", "JPEG2000", "PPM")  # none runs a program


@dataclass(frozen=True)
class ImageRequest:
    """One image as it was received. `name`: for `source` in its result only."""

    data: bytes
    name: str
    options: PredictOptions


@dataclass(frozen=True, eq=False)
class Located:
    """A decoded image and its faces."""

    image: np.ndarray
    frames: int
    small_faces: bool | None  # as in the options, but False beyond the limit of size
    faces: list[LocatedFace]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of an image until all of its batch are decoded: no pixels but the crops of its faces."""

    size: tuple[int, int]  # width and height
    frames: int
    small_faces: bool | None
    faces: list[SeenFace]


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
            for index, result in zip(indices, self._predict([batch[index] for index in indices]), strict=True):
                results[index] = result
        return results

    def _predict(self, requests: Sequence[ImageRequest]) -> list[bytes | Exception]:
        """Requests of the same options."""
        try:
            recognizer = self._recognizers.of(requests[0].options)
        except MienError as error:
            return [error] * len(requests)
        seen = [self._seen(request, recognizer) for request in requests]
        faces = iter(recognised([one.faces for one in seen if isinstance(one, _Seen)], recognizer))
        return [
            one if isinstance(one, Exception) else _json_of(request.name, one, next(faces), recognizer)
            for request, one in zip(requests, seen, strict=True)
        ]

    def _seen(self, request: ImageRequest, recognizer: Recognizer) -> _Seen | Exception:
        try:
            one = self.located(request, recognizer)
            height, width = one.image.shape[:2]
            inputs, detected = recognizer.network.manifest.inputs, request.options.detect
            faces = [seen_face(one.image, face, inputs, detected=detected) for face in one.faces]
            return _Seen((width, height), one.frames, one.small_faces, faces)
        except Exception as error:  # one strange image must not end the others
            return error

    def located(self, request: ImageRequest, recognizer: Recognizer) -> Located:
        """The image of a request, decoded within the limits, and its faces."""
        check_image(request.data, request.name, max_pixels=self._max_pixels)
        image, frames = read_first_frame(request.data, name=request.name)
        height, width = image.shape[:2]
        check_size(width, height, request.name, self._max_pixels)  # of HEIC only now
        options = request.options
        if not options.detect:
            return Located(image, frames, None, recognizer.locate(image, detect=False))
        small_faces = options.small_faces
        if height * width > self._max_search_pixels:
            if small_faces:
                limit = self._max_search_pixels / 1e6
                raise OptionError(f"small_faces is for images up to {limit:g} megapixels here; make it smaller")
            small_faces = False
            recognizer = self._recognizers.of(options.model_copy(update={"small_faces": False}))
        return Located(image, frames, small_faces, recognizer.locate(image))


def check_image(source: bytes | Path, name: str, *, max_pixels: int) -> None:
    """Refuse by the header what is no image of `FORMATS`, or larger than it may be. Raises `ImageError`."""
    kind = _kind_of(source)
    if kind in VIDEO_SUFFIXES:
        raise ImageError(name, "is a video, not an image; send it to POST /v1/jobs")
    if kind == ".heic":
        if find_spec("pillow_heif") is None:
            raise ImageError(name, "is HEIC, which this service does not read; send it as JPEG")
        return  # its size is known when it is decoded
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


def _kind_of(source: bytes | Path) -> str | None:
    if isinstance(source, bytes):
        return suffix_of(source[:HEAD])
    with source.open("rb") as file:
        return suffix_of(file.read(HEAD))


def check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raises `ImageError` for an image of more pixels than it may have."""
    if width * height > max_pixels:
        raise ImageError(name, f"more than {max_pixels / 1e6:g} megapixels; make it smaller")


def _json_of(name: str, image: _Seen, faces: list[Face] | Exception, recognizer: Recognizer) -> bytes | Exception:
    """The body of the response, `mien.service.schemas.Prediction`."""
    if isinstance(faces, Exception):
        return faces
    manifest, result = recognizer.network.manifest, ImageResult(name, tuple(faces), frames=image.frames)
    return msgspec.json.encode(
        {
            "source": result.source,
            "width": image.size[0],
            "height": image.size[1],
            "frames": result.frames,
            "small_faces": image.small_faces,
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
