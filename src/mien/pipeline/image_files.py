"""Image files to their results, past bad ones; the faces of several are recognised together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import ImageError, MienError, unforeseen
from mien.media.disk import is_disk_full
from mien.media.images import read_first_frame
from mien.pipeline.save import Saver
from mien.pipeline.seen import SeenFace
from mien.results import Face, ImageResult

if TYPE_CHECKING:
    from mien.pipeline.recognizer import Recognizer

Read = Callable[[str], tuple[np.ndarray, int]]
"""What gives the pixels (H, W, 3) uint8 RGB and the number of frames to an item's name."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """An image whose faces are still to be recognised. `image`: where it is to be saved."""

    item: str
    faces: list[SeenFace]
    frames: int
    image: np.ndarray | None


def name_of(item: str | ImageError) -> str:
    """What the table calls a source: the path as given; bytes that are no UTF-8 as backslash escapes."""
    name = item.source if isinstance(item, ImageError) else item
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def predict_image_files(
    items: Sequence[str | ImageError],
    *,
    recognizer: Recognizer,
    detect: bool,
    saver: Saver | None = None,
    read: Read = read_first_frame,
) -> list[ImageResult]:
    """The images in this order; what goes wrong with one is its `error`, but for a full disk.

    Of each only the crops of its faces are kept until all are seen.
    """
    seen = [_guarded(item, partial(_see, item, recognizer, detect, saver, read)) for item in items]
    faces = iter(recognised([one.faces for one in seen if isinstance(one, _Seen)], recognizer))
    return [
        _guarded(one.item, partial(_finished, one, next(faces), saver)) if isinstance(one, _Seen) else one
        for one in seen
    ]


def recognised(images: Sequence[Sequence[SeenFace]], recognizer: Recognizer) -> list[list[Face] | Exception]:
    """The faces of each image with their expressions: one batch for all, or where it fails one for each image."""
    try:
        faces = iter(recognizer.with_expressions([face for image in images for face in image]))
    except Exception as error:
        if len(images) == 1:
            return [error]
        return [one for image in images for one in recognised([image], recognizer)]
    return [[next(faces) for _ in image] for image in images]


def _see(
    item: str | ImageError, recognizer: Recognizer, detect: bool, saver: Saver | None, read: Read
) -> ImageResult | _Seen:
    if isinstance(item, ImageError):
        raise item
    if saver is not None and (earlier := saver.earlier(item, name_of(item))) is not None:
        return earlier
    image, frames = read(item)
    return _Seen(item, recognizer.see(image, detect=detect), frames, None if saver is None else image)


def _finished(one: _Seen, faces: list[Face] | Exception, saver: Saver | None) -> ImageResult:
    if isinstance(faces, Exception):
        raise faces
    if saver is not None and one.image is not None:
        saver.save(one.item, one.image, faces, frames=one.frames)
    return ImageResult(name_of(one.item), tuple(faces), frames=one.frames)


def _guarded(item: str | ImageError, step: Callable[[], Any]) -> Any:
    """What the step gives, or a result with the error that it raises."""
    try:
        return step()
    except Exception as error:  # one strange image must not end the run
        if is_disk_full(error):
            raise
        return ImageResult(name_of(item), error=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, ImageError):
        return error.reason
    if isinstance(error, OSError):
        return f"its annotated image cannot be saved ({error.strerror or error}); save elsewhere"
    if isinstance(error, MienError):  # of a detector of the user's own, say
        return str(error)
    return unforeseen(error)
