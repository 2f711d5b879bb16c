"""Image files to their results, past bad ones; the faces of several are recognised together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from mien.errors import ImageError, MienError, unforeseen
from mien.labels import LabelSet
from mien.media.disk import is_disk_full
from mien.media.images import read_first_frame
from mien.pipeline.save import Saver
from mien.pipeline.seen import SeenFace
from mien.results import Face, ImageResult

Read = Callable[[str], tuple[np.ndarray, int]]
"""What gives the pixels (H, W, 3) uint8 RGB and the number of frames to an item's name."""


class Predictor(Protocol):
    """What a batch needs of a `mien.Recognizer`."""

    @property
    def labels(self) -> LabelSet:
        """The classes of the predictions."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that decides the predictions, as plain values."""
        ...

    def see(self, source: Any, *, detect: bool = True) -> list[SeenFace]:
        """The faces of one image, not yet recognised."""
        ...

    def with_expressions(self, seen: Sequence[SeenFace]) -> list[Face]:
        """Faces of any images with their expressions."""
        ...


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


def read_result(
    item: str | ImageError, *, recognizer: Predictor, detect: bool, read: Read = read_first_frame
) -> ImageResult:
    """One image; what goes wrong with it is its `error`."""
    (result,) = read_results([item], recognizer=recognizer, detect=detect, read=read)
    return result


def read_results(
    items: Sequence[str | ImageError],
    *,
    recognizer: Predictor,
    detect: bool,
    saver: Saver | None = None,
    read: Read = read_first_frame,
) -> list[ImageResult]:
    """The images in this order; what goes wrong with one is its `error`, but for a full disk.

    Of each only the crops of its faces are kept until all are seen.
    """
    seen = [_guarded(item, partial(_see, item, recognizer, detect, saver, read)) for item in items]
    faces = [face for one in seen if isinstance(one, _Seen) for face in one.faces]
    try:
        recognised = iter(recognizer.with_expressions(faces))
    except Exception as error:
        if len(items) == 1:
            return [ImageResult(name_of(items[0]), error=_reason(error))]
        return [one for item in items for one in read_results(
            [item], recognizer=recognizer, detect=detect, saver=saver, read=read)]  # fmt: skip
    results = []
    for one in seen:
        if isinstance(one, _Seen):
            own = [next(recognised) for _ in one.faces]
            one = _guarded(one.item, partial(_finished, one, own, saver))
        results.append(one)
    return results


def _see(
    item: str | ImageError, recognizer: Predictor, detect: bool, saver: Saver | None, read: Read
) -> ImageResult | _Seen:
    if isinstance(item, ImageError):
        raise item
    if saver is not None and (earlier := saver.earlier(item, name_of(item))) is not None:
        return earlier
    image, frames = read(item)
    return _Seen(item, recognizer.see(image, detect=detect), frames, None if saver is None else image)


def _finished(one: _Seen, faces: list[Face], saver: Saver | None) -> ImageResult:
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
